//! `/health/live` and `/health/ready`: for systemd, containers and people.

use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::server::Server;

/// How long an answer about Nextcloud is good for.
const REFRESH: Duration = Duration::from_secs(15);
/// Time that Nextcloud gets to answer: a probe must not hang on it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Remembers for a short time whether Nextcloud answered.
pub struct Health {
    mode: &'static str,
    last: Mutex<Option<(Duration, Result<(), String>)>>,
    /// Held by the one probe that asks Nextcloud; the others answer from what is known.
    asking: Mutex<()>,
}

impl Health {
    pub fn new(mode: &'static str) -> Health {
        Health { mode, last: Mutex::new(None), asking: Mutex::new(()) }
    }

    /// The process runs and answers.
    pub fn live(&self) -> Value {
        json!({"status": "alive", "mode": self.mode})
    }

    /// Whether calls can succeed, and if not, why. `auth` says whether callers can be let in.
    pub fn ready(&self, server: &Arc<Server>, auth: Result<(), String>) -> (bool, Value) {
        let reachable = self.reachable(server);
        let ready = reachable.is_ok() && auth.is_ok();
        let word = |result: &Result<(), String>| match result {
            Ok(()) => "ok".to_owned(),
            Err(why) => format!("error: {why}"),
        };
        let body = json!({
            "status": if ready { "ready" } else { "not_ready" },
            "checks": {
                "nextcloud_configured": "ok",
                "nextcloud_reachable": word(&reachable),
                "auth_mode": self.mode,
                "auth_configured": word(&auth),
            },
        });
        (ready, body)
    }

    fn reachable(&self, server: &Arc<Server>) -> Result<(), String> {
        let now = server.clock.monotonic();
        let known = || self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        if let Some((at, result)) = known()
            && now.saturating_sub(at) < REFRESH
        {
            return result;
        }
        let asking = match self.asking.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return known().map_or_else(|| Err("Nextcloud is being asked".into()), |(_, result)| result);
            }
        };
        let result = match server.nextcloud.ping(PATIENCE) {
            Ok(status) if status.maintenance => Err("Nextcloud is in maintenance mode".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        *self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some((now, result.clone()));
        drop(asking);
        result
    }
}
