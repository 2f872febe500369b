//! The timeouts of calls. They are parts of [`STORE_TIMEOUT`], so that an error names its cause before the caller
//! abandons the call.

use std::time::Duration;

use tower_jwt_auth_core::STORE_TIMEOUT;

/// The time that a call may take in total.
pub(crate) const CALL_TIMEOUT: Duration = STORE_TIMEOUT.saturating_sub(Duration::from_millis(500));
/// The time that one response may take.
pub(crate) const RESPONSE_TIMEOUT: Duration =
    CALL_TIMEOUT.saturating_sub(Duration::from_millis(500));
/// The time that a new connection may take.
pub(crate) const CONNECT_TIMEOUT: Duration = fraction(RESPONSE_TIMEOUT, 2);
/// The maximum timeout of `WAIT`.
///
/// A call takes up to three rounds of it: one that delays the call's script, one that began too early to cover the
/// call, and the call's own. The rest is for round trips.
pub(crate) const MAX_WAIT_TIMEOUT: Duration =
    fraction(CALL_TIMEOUT.saturating_sub(Duration::from_millis(300)), 3);

const fn fraction(duration: Duration, divisor: u128) -> Duration {
    Duration::from_millis((duration.as_millis() / divisor) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation of `RedisOptions::with_replicas` states the maximum.
    #[test]
    fn timeouts_are_as_documented() {
        assert_eq!(CALL_TIMEOUT, Duration::from_millis(4500));
        assert_eq!(RESPONSE_TIMEOUT, Duration::from_secs(4));
        assert_eq!(CONNECT_TIMEOUT, Duration::from_secs(2));
        assert_eq!(MAX_WAIT_TIMEOUT, Duration::from_millis(1400));
    }
}
