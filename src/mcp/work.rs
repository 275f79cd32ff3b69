//! What a request asks for, checked as far as that goes without doing it; and doing it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Map, Value};

use super::envelope::Envelope;
use super::revision::{Method, Revision};
use super::{completion, lifecycle, prompts, resources, tools};
use crate::auth::Caller;
use crate::cancel::Cancel;
use crate::clock::Ids;
use crate::nextcloud::{self, Call, Capabilities};
use crate::rpc::{self, Error};
use crate::server::Server;
use crate::tool::{Cx, Needs, Progress, Resource, Scope, Tool, Variables};

/// Time that asking for the capabilities may take: a list should come fast even if Nextcloud does not.
const CAPABILITIES_TIMEOUT: Duration = Duration::from_secs(3);

/// What is to be done.
pub enum Work {
    Discover,
    Initialize { params: Map<String, Value> },
    Ping,
    ListTools,
    CallTool { tool: &'static Tool, arguments: Value },
    ListResources,
    ListResourceTemplates,
    ReadResource { resource: &'static Resource, variables: Variables, uri: String },
    ListPrompts,
    Complete,
}

/// Why it cannot be done.
pub enum Cannot {
    Answer(Error),
    /// The caller lacks one of these scopes.
    Allow(&'static [Scope]),
}

/// What the work is done with.
pub struct Context<'a> {
    pub server: &'a Server,
    pub caller: &'a Caller,
    pub revision: Revision,
    /// On the server's monotonic clock.
    pub deadline: Duration,
    pub cancel: &'a Cancel,
    pub progress: &'a dyn Progress,
}

impl Work {
    /// Reads the parameters. Asks Nextcloud nothing.
    pub fn prepare(
        server: &Server,
        caller: &Caller,
        envelope: &Envelope,
        params: Option<Value>,
    ) -> Result<Work, Cannot> {
        let mut params = match params {
            Some(Value::Object(params)) => params,
            _ => Map::new(),
        };
        match envelope.method {
            Method::Discover => Ok(Work::Discover),
            Method::Initialize => Ok(Work::Initialize { params }),
            Method::Ping => Ok(Work::Ping),
            Method::ListTools => no_cursor(&params).map(|()| Work::ListTools),
            Method::ListResources => no_cursor(&params).map(|()| Work::ListResources),
            Method::ListResourceTemplates => no_cursor(&params).map(|()| Work::ListResourceTemplates),
            Method::CallTool => {
                let name = text(&params, "name")?;
                let tool = tools::find(&server.registry, caller, name)?;
                let arguments = params.remove("arguments").filter(|arguments| !arguments.is_null());
                Ok(Work::CallTool { tool, arguments: arguments.unwrap_or_else(|| Map::new().into()) })
            }
            Method::ReadResource => {
                let uri = text(&params, "uri")?;
                let (resource, variables) =
                    resources::find(&server.registry, caller, uri, envelope.revision)?;
                Ok(Work::ReadResource { resource, variables, uri: uri.to_owned() })
            }
            Method::ListPrompts => no_cursor(&params).map(|()| Work::ListPrompts),
            Method::GetPrompt => Err(Cannot::Answer(prompts::not_found(text(&params, "name")?))),
            Method::Complete => completion::check(&params).map(|()| Work::Complete).map_err(Cannot::Answer),
        }
    }

    /// Whether it may take as long as Nextcloud takes, and so needs a place among those who wait.
    pub fn waits_for_nextcloud(&self) -> bool {
        matches!(self, Work::CallTool { .. } | Work::ReadResource { .. })
    }

    /// Does it; gives the result as the revision writes it.
    pub fn run(self, context: &Context) -> Result<Value, Error> {
        caught(&context.server.ids, || match self {
            Work::Discover => Ok(lifecycle::discover(context.revision)),
            Work::Initialize { params } => Ok(lifecycle::initialize(&params)),
            Work::Ping => Ok(Map::new().into()),
            Work::ListTools => Ok(tools::list(context)),
            Work::CallTool { tool, arguments } => tools::call(context, tool, arguments),
            Work::ListResources => Ok(resources::list(context)),
            Work::ListResourceTemplates => Ok(resources::list_templates(context)),
            Work::ReadResource { resource, variables, uri } => {
                resources::read(context, resource, &variables, &uri)
            }
            Work::ListPrompts => Ok(prompts::list(context.revision)),
            Work::Complete => Ok(completion::complete(context.revision)),
        })
        .and_then(|done| done)
    }
}

impl Context<'_> {
    /// What Nextcloud says that it has; asked with a short deadline of its own.
    pub fn capabilities(&self) -> Result<Arc<Capabilities>, nextcloud::Error> {
        let deadline = self.deadline.min(self.server.clock.monotonic() + CAPABILITIES_TIMEOUT);
        let call = Call { deadline, cancel: self.cancel.clone() };
        self.server.nextcloud.client(&self.caller.account, &call).capabilities()
    }

    /// The capabilities where any of `needs` depends on them. `None` shows everything: a call will tell.
    pub fn capabilities_for(&self, mut needs: impl Iterator<Item = Needs>) -> Option<Arc<Capabilities>> {
        if !self.server.registry.gates_by_capability() || !needs.any(|needs| needs != Needs::Nothing) {
            return None;
        }
        self.capabilities()
            .inspect_err(|error| log::debug!("listing everything, no capabilities error=\"{error}\""))
            .ok()
    }

    /// Calls a handler with what it works with. A panic in it becomes an error that names a line of the log.
    pub fn with_cx<T>(&self, handler: impl FnOnce(&Cx) -> T) -> Result<T, Error> {
        let call = Call { deadline: self.deadline, cancel: self.cancel.clone() };
        let cx = Cx {
            nc: self.server.nextcloud.client(&self.caller.account, &call),
            clock: &self.server.clock,
            ids: &self.server.ids,
            settings: &self.server.tool_settings,
            progress: self.progress,
            excluded: OnceLock::new(),
        };
        caught(&self.server.ids, || handler(&cx))
    }
}

/// Runs `work`; a panic becomes an error with a reference that the log explains. Whatever is shared heals itself: locks
/// are taken over even if poisoned, and permits leave by unwinding.
fn caught<T>(ids: &Ids, work: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let what = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(text), _) => text,
            (None, Some(text)) => text.as_str(),
            (None, None) => "no text",
        };
        let reference = ids.event();
        let what: String = what.chars().take(300).collect();
        log::error!("a request panicked reference={reference} what=\"{what}\"");
        Error::new(rpc::INTERNAL_ERROR, format!("internal error, reference {reference}"))
    })
}

/// A parameter that must be a string.
fn text<'a>(params: &'a Map<String, Value>, name: &str) -> Result<&'a str, Cannot> {
    params
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| Cannot::Answer(Error::new(rpc::INVALID_PARAMS, format!("`{name}` must be a string"))))
}

/// Every list is one page, so there is no cursor that we gave out.
fn no_cursor(params: &Map<String, Value>) -> Result<(), Cannot> {
    match params.get("cursor") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(Cannot::Answer(Error::new(
            rpc::INVALID_PARAMS,
            "bad cursor: the list is one page; ask without a cursor",
        ))),
    }
}
