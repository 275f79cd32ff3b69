//! The only source of time and randomness, so that a run can be repeated exactly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

/// Tells the time of day and the time since the program started. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    System { start: Instant },
    Manual { unix_ns: AtomicU64 },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        Clock(Arc::new(Source::System { start: Instant::now() }))
    }

    /// A clock that stands still at `unix_ms` until [`Clock::advance`] moves it; for tests and replays.
    pub fn manual(unix_ms: u64) -> Clock {
        Clock(Arc::new(Source::Manual { unix_ns: AtomicU64::new(unix_ms * 1_000_000) }))
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        Timestamp {
            unix_ms: match &*self.0 {
                Source::System { .. } => {
                    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
                }
                Source::Manual { unix_ns } => unix_ns.load(Ordering::Relaxed) / 1_000_000,
            },
        }
    }

    /// Time that never goes backwards, counted from an arbitrary start; for deadlines and caches.
    pub fn monotonic(&self) -> Duration {
        match &*self.0 {
            Source::System { start } => start.elapsed(),
            Source::Manual { unix_ns } => Duration::from_nanos(unix_ns.load(Ordering::Relaxed)),
        }
    }

    /// Moves a manual clock forward; does nothing to the machine's clock.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { unix_ns } = &*self.0 {
            unix_ns.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// Lets time pass: sleeps on the machine's clock, moves a manual one forward without waiting.
    pub fn pause(&self, for_: Duration) {
        match &*self.0 {
            Source::System { .. } => std::thread::sleep(for_),
            Source::Manual { .. } => self.advance(for_),
        }
    }
}

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    pub unix_ms: u64,
}

impl Timestamp {
    /// Whole seconds since 1970.
    pub fn unix_s(self) -> u64 {
        self.unix_ms / 1000
    }

    /// `2026-11-23T23:32:31.042Z` (RFC 3339, UTC, milliseconds).
    pub fn rfc3339(self) -> String {
        let (year, month, day) = civil_from_days((self.unix_s() / 86_400) as i64);
        let second = self.unix_s() % 86_400;
        format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second / 3600,
            second / 60 % 60,
            second % 60,
            self.unix_ms % 1000
        )
    }
}

/// Days since 1970-01-01 to year, month, day (Howard Hinnant's `civil_from_days`).
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// Makes identifiers nobody can guess. Cheap to clone.
#[derive(Clone)]
pub struct Ids(Arc<IdSource>);

enum IdSource {
    Random(SystemRandom),
    Counting(AtomicU64),
}

impl Ids {
    /// The operating system's generator.
    pub fn random() -> Ids {
        Ids(Arc::new(IdSource::Random(SystemRandom::new())))
    }

    /// 1, 2, 3 …; for tests and replays.
    pub fn counting() -> Ids {
        Ids(Arc::new(IdSource::Counting(AtomicU64::new(1))))
    }

    /// Fills `out`. Fails only where the operating system has no randomness to give.
    pub fn fill(&self, out: &mut [u8]) -> Result<(), NoRandomness> {
        match &*self.0 {
            IdSource::Random(rng) => rng.fill(out).map_err(|_| NoRandomness),
            IdSource::Counting(next) => {
                out.fill(0);
                let n = next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
                let len = out.len().min(n.len());
                let start = out.len() - len;
                out[start..].copy_from_slice(&n[n.len() - len..]);
                Ok(())
            }
        }
    }

    /// A short name for one event, to find it again in the log: 12 hexadecimal digits. Not a secret.
    pub fn event(&self) -> String {
        let mut bytes = [0_u8; 6];
        if self.fill(&mut bytes).is_err() {
            return "norandomness".into();
        }
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// A name for something that is kept, unique in the world: a UUID of version 4 (RFC 9562).
    pub fn uuid(&self) -> Result<String, NoRandomness> {
        let mut bytes = [0_u8; 16];
        self.fill(&mut bytes)?;
        Ok(uuid_v4(bytes))
    }
}

/// 16 random bytes as a UUID of version 4 (RFC 9562 §5.4), in lower case.
fn uuid_v4(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRandomness;

impl std::fmt::Display for NoRandomness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the operating system gave no random bytes")
    }
}

impl std::error::Error for NoRandomness {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_knows_leap_years_and_ends_of_months() {
        let at = |unix_ms| Timestamp { unix_ms }.rfc3339();
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(at(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_795_476_751_042), "2026-11-23T23:32:31.042Z");
        assert_eq!(at(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(1_000);
        clock.pause(Duration::from_secs(2));
        assert_eq!(clock.now().unix_ms, 3_000);
        assert_eq!(clock.monotonic(), Duration::from_secs(3));
    }

    #[test]
    fn counting_ids_count() {
        let ids = Ids::counting();
        assert_eq!((ids.event(), ids.event()), ("000000000001".into(), "000000000002".into()));
        assert_eq!(ids.uuid().unwrap(), "00000000-0000-4000-8000-000000000003");
    }

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        assert_eq!(uuid_v4([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
