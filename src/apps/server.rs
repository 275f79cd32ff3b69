//! Nextcloud itself.

use serde_json::Value;

use crate::nextcloud::{Request, Subject, UrlPath};
use crate::tool::{App, Cx, Needs, Resource, ResourceBody, ToolError, Variables};

pub const APP: App = App {
    name: "server",
    about: "Nextcloud itself: version and capabilities",
    tools: &[],
    resources: &[Resource {
        uri: "nc://capabilities",
        name: "Capabilities",
        about: "Version of this Nextcloud and what it and its apps can do.",
        mime: Some("application/json"),
        scopes: &[],
        needs: Needs::Nothing,
        read: read_capabilities,
    }],
};

fn read_capabilities(cx: &Cx, _: &Variables) -> Result<ResourceBody, ToolError> {
    let path = UrlPath::ocs("/cloud/capabilities");
    let capabilities: Value = cx.nc.ocs(Request::new("GET", path)).of("the capabilities")?;
    Ok(ResourceBody::Text { mime: "application/json".into(), text: capabilities.to_string() })
}
