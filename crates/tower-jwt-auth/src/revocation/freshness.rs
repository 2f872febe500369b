use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tower_jwt_auth_core::Timestamp;

/// The latest time as of which the cache was in sync with the log, by both clocks: the monotonic clock may stop while
/// the machine sleeps, and the wall clock can be set.
pub(super) struct Freshness {
    base: Instant,
    /// The milliseconds since `base`, plus 1. Zero before the first sync.
    monotonic_millis: AtomicU64,
    /// Unix time in milliseconds.
    wall_millis: AtomicI64,
}

impl Freshness {
    pub(super) fn new() -> Self {
        Self {
            base: Instant::now(),
            monotonic_millis: AtomicU64::new(0),
            wall_millis: AtomicI64::new(0),
        }
    }

    pub(super) fn set(&self, instant: Instant, wall_time: Timestamp) {
        self.wall_millis.store(wall_time.unix_millis(), Ordering::Relaxed);
        let millis = instant.saturating_duration_since(self.base).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX - 1);
        self.monotonic_millis.store(millis + 1, Ordering::Release);
    }

    pub(super) fn includes(&self, instant: Instant) -> bool {
        let millis = instant.saturating_duration_since(self.base).as_millis();
        let fresh = self.monotonic_millis.load(Ordering::Acquire).checked_sub(1);
        // Both are rounded down: within the same millisecond the order is unknown.
        fresh.is_some_and(|fresh| u128::from(fresh) > millis)
    }

    pub(super) fn age(&self, now: Timestamp) -> Option<Duration> {
        let millis = self.monotonic_millis.load(Ordering::Acquire).checked_sub(1)?;
        let monotonic_age = self.base.elapsed().saturating_sub(Duration::from_millis(millis));
        let wall_time = Timestamp::from_unix_millis(self.wall_millis.load(Ordering::Relaxed));
        Some(monotonic_age.max(now.since(wall_time)))
    }
}
