//! `resources/list`, `resources/templates/list` and `resources/read`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::revision::{Caching, Revision};
use super::work::{Cannot, Context};
use crate::auth::Caller;
use crate::nextcloud::Kind;
use crate::registry::{self, Registry, View};
use crate::rpc::{self, Error};
use crate::tool::{Resource, ResourceBody, ToolError, Variables};

/// The resources with a fixed URI. Never what a user has: the templates say how to name that.
pub fn list(context: &Context) -> Value {
    listed(context, "resources", |resource| !resource.is_template())
}

/// The templates of URIs.
pub fn list_templates(context: &Context) -> Value {
    listed(context, "resourceTemplates", Resource::is_template)
}

/// The resource that a URI names, if the caller may read it.
pub fn find(
    registry: &Registry,
    caller: &Caller,
    uri: &str,
    revision: Revision,
) -> Result<(&'static Resource, Variables), Cannot> {
    let (resource, variables) =
        registry.resource(uri).ok_or_else(|| Cannot::Answer(not_found(uri, revision, "no such resource")))?;
    if caller.scopes.allow(resource.scopes) {
        Ok((resource, variables))
    } else {
        Err(Cannot::Allow(resource.scopes))
    }
}

/// Reads a resource. Unlike a tool's, every failure is a JSON-RPC error.
pub fn read(
    context: &Context,
    resource: &'static Resource,
    variables: &Variables,
    uri: &str,
) -> Result<Value, Error> {
    let body = context.with_cx(|cx| (resource.read)(cx, variables))?.map_err(|error| {
        let why = error.to_string();
        match error {
            ToolError::Arguments(_) => Error::new(rpc::INVALID_PARAMS, why).with_data(json!({"uri": uri})),
            ToolError::Upstream(upstream) if upstream.kind == Kind::NotFound => {
                not_found(uri, context.revision, &why)
            }
            ToolError::Refused(_) | ToolError::Upstream(_) => Error::new(rpc::INTERNAL_ERROR, why),
        }
    })?;
    let contents = match body {
        ResourceBody::Text { mime, text } => json!({"uri": uri, "mimeType": mime, "text": text}),
        ResourceBody::Blob { mime, bytes } => {
            json!({"uri": uri, "mimeType": mime, "blob": STANDARD.encode(bytes)})
        }
    };
    let members = Map::from_iter([("contents".to_owned(), json!([contents]))]);
    Ok(context.revision.result(members, Caching::Never))
}

fn listed(context: &Context, member: &str, wanted: fn(&Resource) -> bool) -> Value {
    let resources = || context.server.registry.resources().filter(|resource| wanted(resource));
    let capabilities = context.capabilities_for(resources().map(|resource| resource.needs));
    let view = View { scopes: &context.caller.scopes, capabilities: capabilities.as_deref() };
    let shown: Vec<Value> = resources()
        .filter(|resource| view.shows_resource(resource))
        .map(registry::describe_resource)
        .collect();
    context.revision.result(Map::from_iter([(member.to_owned(), shown.into())]), Caching::List)
}

fn not_found(uri: &str, revision: Revision, why: &str) -> Error {
    Error::new(revision.resource_not_found_code(), why).with_data(json!({"uri": uri}))
}
