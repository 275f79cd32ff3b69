//! What all requests share.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Ids};
use crate::gate::Gate;
use crate::nextcloud::Nextcloud;
use crate::registry::Registry;
use crate::tool::ToolSettings;

/// The one shared state, built at start and never changed afterwards; what does change inside it (caches, the gate)
/// takes care of itself. The order of calls is no part of it: a request is answered from itself alone.
pub struct Server {
    pub clock: Clock,
    pub ids: Ids,
    pub registry: Registry,
    pub nextcloud: Arc<Nextcloud>,
    /// Bounds how many calls wait for Nextcloud at a time.
    pub gate: Gate,
    pub tool_settings: ToolSettings,
    /// Time that one tool call may take with all its requests to Nextcloud.
    pub call_timeout: Duration,
}
