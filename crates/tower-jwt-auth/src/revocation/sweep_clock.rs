use std::time::{Duration, Instant};

use tower_jwt_auth_core::Timestamp;

/// The margin for a clock that runs faster than the monotonic one.
const SLEW_DIVISOR: u32 = 1000;

/// Bounds a clock by the monotonic one. An entry that is removed because a clock was ahead for a moment would be missing
/// once the clock is right again.
pub(super) struct SweepClock {
    started: (Timestamp, Instant),
}

impl SweepClock {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { started: (now, Instant::now()) }
    }

    /// Returns the time by which entries may be removed: `now`, unless it is ahead of the time that has passed.
    pub(super) fn bound(&self, now: Timestamp) -> Timestamp {
        self.bound_by(now, self.started.1.elapsed())
    }

    fn bound_by(&self, now: Timestamp, elapsed: Duration) -> Timestamp {
        now.min(self.started.0 + (elapsed + elapsed / SLEW_DIVISOR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_ahead_removes_nothing_early() {
        let start = Timestamp::from_unix_seconds(1_700_000_000);
        let clock = SweepClock::new(start);
        let hour = Duration::from_secs(3600);
        let bound = |now| clock.bound_by(now, hour);
        assert_eq!(bound(start + hour), start + hour);
        assert_eq!(bound(start - hour), start - hour);
        let ahead = bound(start + 24 * hour);
        assert!((start + hour..start + hour + hour / 500).contains(&ahead), "{ahead}");
    }
}
