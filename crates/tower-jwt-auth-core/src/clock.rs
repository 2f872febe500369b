use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use crate::Timestamp;

/// Where the time comes from.
///
/// It is read once for a request and passed down as a value.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth_core::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::at(Timestamp::from_unix_seconds(1_700_000_000));
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().unix_seconds(), 1_700_000_060);
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// How far the system clock may step back unnoticed, in milliseconds.
const SAFETY_MARGIN: i64 = 1000;

/// The operating system's wall clock, held so that it never goes back by more than a second.
///
/// A wall clock that is set back would make expired tokens valid again. This one keeps the latest time that
/// it has shown and goes on from there when the system's falls behind it. A clock that jumped far ahead and
/// came back is therefore held ahead until the process restarts or time catches up: tokens expire early
/// rather than late.
#[derive(Debug)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl SystemClock {
    /// A clock that has shown no time yet.
    pub const fn new() -> Self {
        Self { latest: AtomicI64::new(i64::MIN) }
    }

    fn clamp(&self, read: Timestamp) -> Timestamp {
        let read = read.unix_millis();
        let latest = self.latest.load(Ordering::Relaxed);
        if read < latest {
            return Timestamp::from_unix_millis(latest);
        }
        // Written once a second at most, so that requests on many threads do not fight over the cache line.
        if read.saturating_sub(latest) >= SAFETY_MARGIN {
            self.latest.fetch_max(read, Ordering::Relaxed);
        }
        Timestamp::from_unix_millis(read)
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.clamp(SystemTime::now().into())
    }
}

/// A clock that stands still until it is told to move, for tests.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
}

impl ManualClock {
    /// A clock that shows this time.
    pub const fn at(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.unix_millis()) }
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.unix_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.now.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_clock_never_goes_back_by_more_than_the_margin() {
        let clock = SystemClock::new();
        let at = Timestamp::from_unix_millis;
        assert_eq!(clock.clamp(at(10_000)), at(10_000));
        assert_eq!(clock.clamp(at(10_999)), at(10_999), "moves with the system's clock");
        assert_eq!(clock.clamp(at(3_000)), at(10_000), "held at the latest time kept");
        assert_eq!(clock.clamp(at(20_000)), at(20_000));
        assert_eq!(clock.clamp(at(19_999)), at(20_000));
    }

    #[test]
    fn system_clock_shows_the_system_time() {
        let before = Timestamp::from(SystemTime::now());
        let shown = SystemClock::new().now();
        let after = Timestamp::from(SystemTime::now());
        assert!(before <= shown && shown <= after);
    }
}
