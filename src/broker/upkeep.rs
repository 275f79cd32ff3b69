//! What is done now and then: giving credentials back to Nextcloud that no grant needs any more.

use std::time::Duration;

use super::Broker;
use super::pending::LOGIN_TIME;

/// A grant that nobody used for so long is over.
const UNUSED: Duration = Duration::from_secs(90 * 86_400);

impl Broker {
    /// Gives back what is over, at most 100 at a time. What Nextcloud cannot take now is tried again the next time.
    pub fn tidy_up(&self) {
        let now = self.clock.now().unix_s();
        let before = |time: Duration| now.saturating_sub(time.as_secs());
        let grants = match self.store.grants_to_give_back(before(LOGIN_TIME), before(UNUSED)) {
            Ok(grants) => grants,
            Err(error) => return log::error!("{error}"),
        };
        for grant in grants {
            let given_back = self.login.give_back(&grant.login_name, &grant.upstream);
            if let Err(error) = given_back {
                log::warn!("a credential is not given back yet user={} error=\"{error}\"", grant.user_id);
                continue;
            }
            match self.store.delete_grant(&grant.id) {
                Ok(()) => {
                    log::info!("gave a credential back user={} client={}", grant.user_id, grant.client_id)
                }
                Err(error) => log::error!("{error}"),
            }
        }
    }
}
