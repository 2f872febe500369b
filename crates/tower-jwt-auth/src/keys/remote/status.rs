use std::time::Duration;

use tower_jwt_auth_core::Timestamp;

use super::error::FetchErrorKind;

/// The state of a [`RemoteKeySet`](super::RemoteKeySet), for metrics and health checks.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::keys::RemoteKeySetStatus;
///
/// /// Half of the default maximum age: somebody should look at the provider.
/// fn is_degraded(status: &RemoteKeySetStatus) -> bool {
///     status.age().is_none_or(|age| age > Duration::from_secs(12 * 3600))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteKeySetStatus {
    pub(super) keys: usize,
    pub(super) fetches: u64,
    pub(super) failures: u64,
    pub(super) consecutive_failures: u32,
    pub(super) last_success: Option<Timestamp>,
    pub(super) last_failure: Option<(Timestamp, FetchErrorKind)>,
    pub(super) age: Option<Duration>,
}

impl RemoteKeySetStatus {
    /// Returns the number of keys in use: zero while keys are unavailable.
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// Returns the number of fetches that have ended. A fetch with discovery is several requests.
    pub fn fetches(&self) -> u64 {
        self.fetches
    }

    /// Returns the number of fetches that have failed, of all [`fetches`](Self::fetches).
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Returns the number of failures since the last success.
    pub fn consecutive_failures(&self) -> u32 {
        self.consecutive_failures
    }

    /// Returns when the last fetch that brought keys began.
    pub fn last_success(&self) -> Option<Timestamp> {
        self.last_success
    }

    /// Returns when the last fetch that failed began.
    pub fn last_failure(&self) -> Option<Timestamp> {
        self.last_failure.map(|(at, _)| at)
    }

    /// Returns the error of the last fetch that failed. A success does not reset it.
    pub fn last_error(&self) -> Option<FetchErrorKind> {
        self.last_failure.map(|(_, kind)| kind)
    }

    /// Returns the time since [`last_success`](Self::last_success).
    pub fn age(&self) -> Option<Duration> {
        self.age
    }
}
