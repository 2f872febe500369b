//! The times of fetches.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::error::ConfigError;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The time between fetches if the response does not say how long it stays fresh.
const DEFAULT_REFRESH_INTERVAL: Duration = Duration::from_secs(300);
/// The time until a fetch that failed is tried again, doubled each time up to the second one.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The part of the time until a fetch that is random: a tenth after a success, half after a failure, so that the nodes
/// of an application do not query a provider at the same moment.
const JITTER: (f64, f64) = (0.1, 0.5);

/// The intervals, timeouts and ages of a remote key set.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) min_refresh_interval: Duration,
    pub(super) max_refresh_interval: Duration,
    /// The minimum time between fetches for unknown keys.
    pub(super) cool_down: Duration,
    /// The maximum time that a request with an unknown key waits for a fetch.
    pub(super) wait_timeout: Duration,
    /// The maximum age of the keys while they cannot be fetched.
    pub(super) max_age: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            min_refresh_interval: Duration::from_secs(60),
            max_refresh_interval: HOUR,
            cool_down: Duration::from_secs(30),
            wait_timeout: Duration::from_secs(2),
            max_age: DAY,
        }
    }
}

impl Schedule {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let second = Duration::from_secs(1);
        let (min, max) = (self.min_refresh_interval, self.max_refresh_interval);
        check("minimum refresh interval", min, second, DAY, "give 1 second to a day")?;
        let hint = "give the minimum refresh interval to a day";
        check("maximum refresh interval", max, min, DAY, hint)?;
        check("cool-down", self.cool_down, second, HOUR, "give 1 second to an hour")?;
        let (zero, longest) = (Duration::ZERO, Duration::from_secs(30));
        check("wait timeout", self.wait_timeout, zero, longest, "give at most 30 seconds")?;
        let hint = "give the maximum refresh interval to 30 days";
        check("maximum age of the keys", self.max_age, max, DAY * 30, hint)
    }

    /// Returns the time until the next fetch, shorter than the response stays fresh where the bounds allow it.
    pub(super) fn after_success(&self, freshness: Option<Duration>) -> Duration {
        let interval = freshness.unwrap_or(DEFAULT_REFRESH_INTERVAL).min(self.max_refresh_interval);
        shorten_randomly(interval, JITTER.0).max(self.min_refresh_interval)
    }

    /// Returns the time until the next attempt after this many failures in a row.
    pub(super) fn after_failures(&self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let (first, longest) = RETRY_BACKOFF;
        shorten_randomly(first.saturating_mul(doubled).min(longest), JITTER.1)
    }
}

pub(super) fn check(
    what: &'static str,
    given: Duration,
    min: Duration,
    max: Duration,
    hint: &'static str,
) -> Result<(), ConfigError> {
    match (min..=max).contains(&given) {
        true => Ok(()),
        false => Err(ConfigError::Duration { what, given, hint }),
    }
}

/// Subtracts a random part of at most this share.
fn shorten_randomly(duration: Duration, share: f64) -> Duration {
    // Jitter need not be unpredictable. The keys of the hasher are random.
    let random = f64::from(u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or(0));
    duration.mul_f64(1.0 - share * random / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn interval_follows_the_response_within_bounds() {
        let schedule = Schedule::default();
        for (freshness, longest) in [
            (None, 300),
            (Some(0), 60),
            (Some(59), 60),
            (Some(600), 600),
            (Some(3600), 3600),
            (Some(86_400), 3600),
        ] {
            let mut seen = Vec::new();
            for _ in 0..100 {
                let interval = schedule.after_success(freshness.map(Duration::from_secs));
                assert!(interval >= schedule.min_refresh_interval, "{freshness:?}: {interval:?}");
                assert!(interval <= SECOND * longest, "{freshness:?}: {interval:?}");
                assert!(interval >= (SECOND * longest).mul_f64(0.9), "{freshness:?}: {interval:?}");
                seen.push(interval);
            }
            seen.dedup();
            assert!(longest == 60 || seen.len() > 90, "{freshness:?} is the same for all nodes");
        }
    }

    #[test]
    fn backoff_doubles_up_to_a_minute() {
        let schedule = Schedule::default();
        for (failures, longest) in
            [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (32, 60), (33, 60), (u32::MAX, 60)]
        {
            let longest = SECOND * longest;
            let mut seen: Vec<_> = (0..100).map(|_| schedule.after_failures(failures)).collect();
            assert!(seen.iter().all(|delay| (longest / 2..=longest).contains(delay)), "{failures}");
            seen.dedup();
            assert!(seen.len() > 90, "{failures} is the same for all nodes");
        }
    }
}
