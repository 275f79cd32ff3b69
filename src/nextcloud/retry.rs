//! Whether and when a failed request is sent again.
//!
//! One retry on a connection that was gone, one on a body that was cut short, three on a lock, three on a stated
//! `Retry-After`: never a refused credential, and never beyond the call's time.

use std::time::Duration;

use super::error::{Error, Kind};
use super::request::Request;
use crate::clock::Ids;

const LOCKED_MAX: u32 = 3;
const LOCKED_FIRST: Duration = Duration::from_millis(200);
const WAITS_MAX: u32 = 3;

/// What was tried for one request so far.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// The next attempt opens a new connection.
    pub(super) fresh: bool,
    pub(super) redirects: u32,
    /// A session was begun for this request before it was sent.
    pub(super) began_session: bool,
    /// A session was begun because this request was refused.
    pub(super) renewed_session: bool,
    locked: u32,
    waits: u32,
}

impl Attempts {
    pub(super) fn of(request: &Request) -> Attempts {
        Attempts { fresh: request.once, ..Attempts::default() }
    }

    /// Allows one attempt on a fresh connection.
    pub(super) fn again_fresh(&mut self) -> bool {
        !std::mem::replace(&mut self.fresh, true)
    }

    /// How long to wait before the request is sent again; `None` if it is not. These answers all say that the
    /// server did not act, so the method does not matter.
    pub(super) fn wait(&mut self, error: &Error, left: Duration, ids: &Ids) -> Option<Duration> {
        let wait = match (error.kind, error.status) {
            (Kind::Locked, Some(423)) if self.locked < LOCKED_MAX => {
                self.locked += 1;
                jittered(LOCKED_FIRST * 2_u32.pow(self.locked - 1), ids)
            }
            (Kind::Throttled | Kind::Maintenance | Kind::Unavailable, Some(429 | 503))
                if self.waits < WAITS_MAX =>
            {
                self.waits += 1;
                Duration::from_secs(error.retry_after_s?)
            }
            _ => return None,
        };
        (wait < left).then_some(wait)
    }
}

/// Between three quarters and five quarters of `base`.
fn jittered(base: Duration, ids: &Ids) -> Duration {
    let mut byte = [128_u8];
    // Without randomness the middle is taken.
    let _ = ids.fill(&mut byte);
    base * 3 / 4 + base * u32::from(byte[0]) / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn error(kind: Kind, status: u16, retry_after_s: Option<u64>) -> Error {
        Error::new(kind, "GET x").status(status).retry_after(retry_after_s)
    }

    #[test]
    fn a_lock_is_tried_three_times_with_doubling_waits() {
        let mut attempts = Attempts::default();
        let waits: Vec<_> =
            (0..4).map(|_| attempts.wait(&error(Kind::Locked, 423, None), LONG, &Ids::random())).collect();
        for (wait, ms) in waits.iter().zip([200, 400, 800]) {
            let wait = wait.expect("a wait").as_millis();
            assert!((ms * 3 / 4..=ms * 5 / 4).contains(&wait), "{wait}");
        }
        assert_eq!(waits[3], None);
    }

    #[test]
    fn retry_after_counts_only_if_it_fits() {
        let wait = |seconds, left| {
            Attempts::default().wait(&error(Kind::Maintenance, 503, seconds), left, &Ids::counting())
        };
        assert_eq!(wait(Some(2), LONG), Some(Duration::from_secs(2)));
        assert_eq!(wait(Some(120), LONG), None);
        assert_eq!(wait(None, LONG), None);
    }

    #[test]
    fn other_failures_are_final() {
        for (kind, status) in [
            (Kind::Unauthorized, 401),
            (Kind::Forbidden, 403),
            (Kind::Conflict, 409),
            (Kind::Locked, 500),
            (Kind::Server, 500),
            (Kind::Unavailable, 502),
            (Kind::Unavailable, 504),
        ] {
            assert_eq!(Attempts::default().wait(&error(kind, status, Some(1)), LONG, &Ids::counting()), None);
        }
    }

    #[test]
    fn a_fresh_connection_is_tried_once() {
        let mut attempts = Attempts::default();
        assert!(attempts.again_fresh() && attempts.fresh && !attempts.again_fresh());
    }
}
