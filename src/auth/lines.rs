//! The lines of a start in OAuth mode: the words that the set-up guide tells an operator to look for, one line each.

use std::fmt;

use log::Level;

use super::discovery::{DiscoveryError, FailedAttempt};
use super::registration::{RegistrationError, Why};
use crate::clock::Timestamp;

/// Something that the operator is told of. Displayed, it is the line.
pub enum Event<'a> {
    ModeDetected {
        account_is_set: bool,
    },
    Configuring,
    Discovering {
        url: &'a str,
    },
    AttemptFailed(FailedAttempt<'a>),
    PkceSupported(&'a [String]),
    PkceNotAdvertised,
    PkceWithoutS256(&'a [String]),
    Discovered,
    DiscoveryFailed {
        error: &'a DiscoveryError,
        url: &'a str,
    },
    /// There is no provider for people to sign in at, and none is needed.
    LoginFlow {
        reason: &'a str,
    },
    Preconfigured {
        client_id: &'a str,
    },
    PreconfiguredRefused {
        client_id: &'a str,
    },
    StoredClientUsed {
        client_id: &'a str,
    },
    StoredClientNotUsed(Why),
    Registering,
    Registered,
    ScopesMissing(&'a [String]),
    ClientReady {
        client_id: &'a str,
    },
    ClientSaved,
    ClientNotSaved {
        why: &'a dyn fmt::Display,
    },
    OldClientDeleted {
        client_id: &'a str,
    },
    OldClientNotDeleted {
        client_id: &'a str,
        why: &'a dyn fmt::Display,
    },
    RegistrationFailed(&'a RegistrationError),
    RenewalFailed(&'a RegistrationError),
    Initialized,
}

/// Takes the events.
pub type Tell<'a> = dyn Fn(Event<'_>) + Send + Sync + 'a;

/// Writes an event into the log.
pub fn log_event(event: Event<'_>) {
    log::log!(event.level(), "{event}");
}

impl Event<'_> {
    pub fn level(&self) -> Level {
        match self {
            Event::PkceWithoutS256(_)
            | Event::DiscoveryFailed { .. }
            | Event::PreconfiguredRefused { .. }
            | Event::ClientNotSaved { .. }
            | Event::RegistrationFailed(_) => Level::Error,
            Event::AttemptFailed(_)
            | Event::PkceNotAdvertised
            | Event::StoredClientNotUsed(Why::Expired { .. } | Why::Refused)
            | Event::ScopesMissing(_)
            | Event::OldClientNotDeleted { .. }
            | Event::RenewalFailed(_) => Level::Warn,
            _ => Level::Info,
        }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::ModeDetected { account_is_set: false } => {
                f.write_str("OAuth mode detected (NEXTCLOUD_USERNAME/PASSWORD not set)")
            }
            Event::ModeDetected { account_is_set: true } => {
                f.write_str("OAuth mode detected (asked for; NEXTCLOUD_USERNAME/PASSWORD are not used)")
            }
            Event::Configuring => f.write_str("Configuring MCP server for OAuth mode"),
            Event::Discovering { url } => write!(f, "Performing OIDC discovery: {url}"),
            Event::AttemptFailed(failed) => write!(
                f,
                "OIDC discovery is tried again in {} s: attempt {} of {} failed: {}",
                failed.wait.as_secs_f32(),
                failed.number,
                failed.of,
                failed.error
            ),
            Event::PkceSupported(methods) => write!(f, "✓ PKCE support validated: {}", List(methods)),
            Event::PkceNotAdvertised => f.write_str(
                "PKCE support is not advertised: the provider's discovery document has no \
                 code_challenge_methods_supported, so MCP clients refuse to log in there directly; update the oidc \
                 app to 1.10.0 or newer. The start goes on.",
            ),
            Event::PkceWithoutS256(methods) => f.write_str(&pkce_failure(methods)),
            Event::Discovered => f.write_str("OIDC discovery successful"),
            Event::DiscoveryFailed { error, url } => f.write_str(&discovery_failure(error, url)),
            Event::LoginFlow { reason } => {
                write!(f, "Sign-in uses Login Flow v2, which every Nextcloud has: {reason}")
            }
            Event::Preconfigured { client_id } => write!(f, "Using pre-configured OAuth client: {client_id}"),
            Event::PreconfiguredRefused { client_id } => write!(
                f,
                "The provider does not accept the pre-configured OAuth client {} (invalid_client): compare \
                 NEXTCLOUD_OIDC_CLIENT_ID and NEXTCLOUD_OIDC_CLIENT_SECRET with occ oidc:list",
                Short(client_id)
            ),
            Event::StoredClientUsed { client_id } => {
                write!(f, "Using stored OAuth client: {}", Short(client_id))
            }
            Event::StoredClientNotUsed(Why::Expired { at_s }) => write!(
                f,
                "Stored client has expired: it was valid until {}. A new one is registered; for a longer life set \
                 occ config:app:set oidc client_expire_time --value SECONDS",
                Timestamp { unix_ms: at_s.saturating_mul(1000) }.rfc3339()
            ),
            Event::StoredClientNotUsed(why) => write!(f, "A new OAuth client is needed: {why}"),
            Event::Registering => f.write_str("Attempting dynamic client registration..."),
            Event::Registered => f.write_str("Dynamic client registration successful"),
            Event::ScopesMissing(scopes) => write!(
                f,
                "The provider granted fewer scopes than were asked for; missing: {}. Allow them in Nextcloud's oidc \
                 settings, or set NEXTCLOUD_OIDC_SCOPES",
                scopes.join(" ")
            ),
            Event::ClientReady { client_id } => write!(f, "OAuth client ready: {}", Short(client_id)),
            Event::ClientSaved => f.write_str("Saved OAuth client credentials to SQLite database"),
            Event::ClientNotSaved { why } => write!(
                f,
                "OAuth client credentials could not be saved, so the next start registers another client: {why}"
            ),
            Event::OldClientDeleted { client_id } => {
                write!(f, "Deleted the OAuth client that is no longer used: {}", Short(client_id))
            }
            Event::OldClientNotDeleted { client_id, why } => write!(
                f,
                "The OAuth client that is no longer used could not be deleted: {} {why}. Remove it with occ \
                 oidc:remove, or leave it to expire",
                Short(client_id)
            ),
            Event::RegistrationFailed(error) => f.write_str(&registration_failure(error)),
            Event::RenewalFailed(error) => {
                write!(f, "{}. The stored client goes on serving until it expires", registration_failure(error))
            }
            Event::Initialized => f.write_str("OAuth initialization complete"),
        }
    }
}

/// `OIDC discovery failed`, cause and remedy.
pub fn discovery_failure(error: &DiscoveryError, url: &str) -> String {
    format!("OIDC discovery failed: {url}: {error}; {}", error.remedy())
}

/// `Dynamic registration failed`, cause and remedy.
pub fn registration_failure(error: &RegistrationError) -> String {
    format!("Dynamic registration failed: {error}; {}", error.remedy())
}

/// `PKCE validation failed`, cause and remedy.
pub fn pkce_failure(methods: &[String]) -> String {
    format!(
        "PKCE validation failed: the provider advertises {} without S256; update the oidc app, or enable S256 at the \
         provider",
        List(methods)
    )
}

/// `['S256', 'plain']`, as the guide shows it; of a long list the beginning.
struct List<'a>(&'a [String]);

const ITEMS_SHOWN: usize = 8;
const ITEM_CHARS_SHOWN: usize = 32;

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = |item: &String| {
            let shown: String = item.chars().filter(|c| !c.is_control()).take(ITEM_CHARS_SHOWN).collect();
            format!("'{shown}'")
        };
        let items: Vec<String> = self.0.iter().take(ITEMS_SHOWN).map(item).collect();
        write!(f, "[{}]", items.join(", "))
    }
}

/// The first characters of a client id: enough to find it, and what the guide shows.
struct Short<'a>(&'a str);

const CLIENT_ID_CHARS_SHOWN: usize = 16;

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.char_indices().nth(CLIENT_ID_CHARS_SHOWN).map_or(self.0.len(), |(at, _)| at);
        write!(f, "{}...", &self.0[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_shown_as_in_the_guide_and_never_long() {
        let list = |items: &[&str]| {
            let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
            Event::PkceSupported(&items).to_string()
        };
        assert_eq!(list(&["S256"]), "✓ PKCE support validated: ['S256']");
        assert_eq!(list(&["a\n\u{1b}b"]), "✓ PKCE support validated: ['ab']");
        assert!(list(&["x".repeat(1000).as_str(); 1000]).len() < 400);
    }

    #[test]
    fn of_a_client_id_the_beginning_is_shown() {
        let line = |client_id| Event::ClientReady { client_id }.to_string();
        assert_eq!(line("0123456789abcdefXYZ"), "OAuth client ready: 0123456789abcdef...");
        assert_eq!(line("short"), "OAuth client ready: short...");
        assert_eq!(line("äöüäöüäöüäöüäöüäöü"), "OAuth client ready: äöüäöüäöüäöüäöüä...");
    }
}
