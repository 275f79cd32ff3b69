//! `tools/list` and `tools/call`.

use serde_json::{Map, Value};

use super::result;
use super::revision::Caching;
use super::work::{Cannot, Context};
use crate::auth::Caller;
use crate::nextcloud::Kind;
use crate::registry::{self, Registry, View};
use crate::rpc::{self, Error};
use crate::spelling::nearest;
use crate::tool::{Needs, Output, Tool, ToolError};

/// The tools that this caller may use and whose apps are there, in table order.
pub fn list(context: &Context) -> Value {
    let registry = &context.server.registry;
    let capabilities = context.capabilities_for(registry.tools().map(|tool| tool.needs));
    let view = View { scopes: &context.caller.scopes, capabilities: capabilities.as_deref() };
    let tools: Vec<Value> = registry
        .tools()
        .filter(|tool| view.shows(tool))
        .map(|tool| context.revision.tool(registry::describe(tool)))
        .collect();
    context.revision.result(Map::from_iter([("tools".to_owned(), tools.into())]), Caching::List)
}

/// The tool of this name, if the caller may use it.
pub fn find(registry: &Registry, caller: &Caller, name: &str) -> Result<&'static Tool, Cannot> {
    let Some(tool) = registry.tool(name) else {
        let shown: String = name.chars().take(80).collect();
        let usable = registry.tools().filter(|tool| caller.scopes.allow(tool.scopes)).map(|tool| tool.name);
        let hint = match nearest(&shown, usable) {
            Some(near) => format!("; did you mean {near}?"),
            None => "; tools/list has all".to_owned(),
        };
        return Err(Cannot::Answer(Error::new(rpc::INVALID_PARAMS, format!("no such tool: {shown}{hint}"))));
    };
    if caller.scopes.allow(tool.scopes) {
        Ok(tool)
    } else {
        log::info!("tool call tool={} caller={} outcome=refused why=scope", tool.name, caller.name);
        Err(Cannot::Allow(tool.scopes))
    }
}

/// Calls a tool. What the caller can do something about is a result with `isError`; only our bugs are errors.
pub fn call(context: &Context, tool: &'static Tool, arguments: Value) -> Result<Value, Error> {
    let clock = &context.server.clock;
    let started = clock.monotonic();
    let ended = context.with_cx(|cx| tool.handler.call(cx, arguments));
    let ended = ended.map(|ended| ended.map_err(|error| explained(context, tool.needs, error)));
    let outcome = match &ended {
        _ if context.cancel.is_cancelled() => "cancelled",
        Ok(Ok(_)) => "ok",
        Ok(Err(ToolError::Arguments(_) | ToolError::Refused(_))) => "refused",
        Ok(Err(ToolError::Upstream(_))) => "error",
        Err(_) => "panic",
    };
    let written = ended.map(|ended| write(context, ended));
    log::info!(
        "tool call tool={} caller={} outcome={outcome} ms={} bytes={}",
        tool.name,
        context.caller.name,
        (clock.monotonic() - started).as_millis(),
        written.as_ref().map_or(0, |written| written.bytes),
    );
    written.map(|written| context.revision.result(written.members, Caching::Unsaid))
}

fn write(context: &Context, ended: Result<Output, ToolError>) -> result::Written {
    match ended {
        Ok(output) => result::success(output, context.revision),
        Err(error) => result::failure(&error.to_string()),
    }
}

/// Says that the app is missing, where that is why the call failed. Asked only after a failure that it would explain, so
/// that a call which works costs no question.
fn explained(context: &Context, needs: Needs, error: ToolError) -> ToolError {
    let (Some(app), ToolError::Upstream(upstream)) = (needs.app(), &error) else {
        return error;
    };
    let explainable =
        matches!(upstream.kind, Kind::NotFound | Kind::MethodNotAllowed | Kind::NotNextcloud | Kind::Server);
    if !explainable || !context.server.registry.gates_by_capability() {
        return error;
    }
    match context.capabilities() {
        Err(_) => error,
        Ok(capabilities) if needs.met_by(&capabilities) => error,
        Ok(capabilities) if matches!(needs, Needs::Since(..)) && capabilities.has_app(app) => {
            ToolError::Refused(format!(
                "The app `{app}` of this Nextcloud is too old: {needs} is needed. Nothing was done; an administrator \
                 can update it."
            ))
        }
        Ok(_) => ToolError::Refused(format!(
            "This Nextcloud does not have the app `{app}`, or it is not enabled for this user. Nothing was done; an \
             administrator can install it."
        )),
    }
}
