//! What a person sees and does on `/`: their connections.

use std::time::Duration;

use super::Broker;
use super::browser::Session;
use super::error::{Code, OAuthError};
use super::registry::unavailable;
use crate::store::Grant;

/// A session of a page lives this long.
const SESSION_TIME: Duration = Duration::from_secs(8 * 3_600);
const SESSIONS_MAX: usize = 1_000;

const NOT_SIGNED_IN: OAuthError = OAuthError::new(Code::AccessDenied, "nobody is signed in here");

impl Broker {
    /// Who is signed in.
    pub fn person(&self, session: &Session) -> Option<String> {
        let now = self.clock.monotonic();
        let sessions = self.sessions();
        let (since, user_id) = sessions.get(&session.hash())?;
        (now.saturating_sub(*since) < SESSION_TIME).then(|| user_id.clone())
    }

    /// The grants of a person, the last used first.
    pub fn connections(&self, user_id: &str) -> Result<Vec<Grant>, OAuthError> {
        self.store.grants_of(user_id).map_err(unavailable)
    }

    /// Takes a grant back that is the person's own. `ticket` is that of the page's form.
    pub fn take_back(&self, session: &Session, ticket: &str, grant_id: &str) -> Result<(), OAuthError> {
        let user_id = self.checked_person(session, ticket)?;
        let grant = self.store.grant(grant_id).map_err(unavailable)?;
        let Some(grant) = grant.filter(|grant| grant.user_id == user_id) else { return Ok(()) };
        self.end_grant(&grant.id, "the person took it back")?;
        self.store.delete_consent(&grant.client_id, &user_id).map_err(unavailable)
    }

    /// Ends the session of a page.
    pub fn sign_out(&self, session: &Session, ticket: &str) -> Result<(), OAuthError> {
        self.checked_person(session, ticket)?;
        self.sessions().remove(&session.hash());
        Ok(())
    }

    pub(super) fn begin_session(&self, user_id: &str) -> Result<Session, OAuthError> {
        let session = Session::new(&self.ids)?;
        let now = self.clock.monotonic();
        let mut sessions = self.sessions();
        sessions.retain(|_, (since, _)| now.saturating_sub(*since) < SESSION_TIME);
        if sessions.len() >= SESSIONS_MAX
            && let Some(oldest) = sessions.iter().min_by_key(|(_, (since, _))| *since).map(|(name, _)| *name)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(session.hash(), (now, user_id.to_owned()));
        Ok(session)
    }

    fn checked_person(&self, session: &Session, ticket: &str) -> Result<String, OAuthError> {
        if !crate::secret::Secret::new(session.ticket()).is(ticket) {
            return Err(NOT_SIGNED_IN);
        }
        self.person(session).ok_or(NOT_SIGNED_IN)
    }
}
