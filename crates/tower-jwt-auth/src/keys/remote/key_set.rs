use std::fmt;
use std::sync::Arc;

use tower_jwt_auth_core::Clock;

use super::shared::Shared;
use super::snapshot::Snapshot;
use super::status::RemoteKeySetStatus;
use crate::background::Background;

/// The keys of an issuer that publishes them at a URL.
///
/// A background task fetches the set and fetches it again before it is stale by its `Cache-Control` or `Expires`
/// (RFC 9111 §4.2), after 1 minute at the earliest and 1 hour at the latest. Requests read the latest set without a
/// lock. Clones share it, and the task ends with the last clone.
///
/// - **Rotation**: a token with an unknown `kid` causes one fetch, at most once in 30 seconds whatever comes, and waits
///   up to 2 seconds for it. All such tokens wait for the same fetch.
/// - **Outage**: while the provider cannot be reached or answers with anything but a JWK set, the keys stay in use
///   until they are 24 hours old. Failed fetches are repeated with a backoff of up to 1 minute.
/// - **Withdrawal**: each set replaces the one before. A set without a usable key withdraws all keys.
/// - **Start**: the task begins to fetch when the set is built. [`ready`](Self::ready) waits for keys; until then no
///   token of the issuer can be verified.
///
/// Each fetch leaves an event with the fields `url`, `outcome`, `status`, `keys` and `elapsed_ms`.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tower_jwt_auth::keys::RemoteKeySet;
///
/// let keys = RemoteKeySet::discover("https://login.example/realms/shop").build()?;
/// // A provider that is down does not stop the application.
/// let _ = tokio::time::timeout(Duration::from_secs(5), keys.ready()).await;
/// println!("{} keys", keys.status().keys());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct RemoteKeySet {
    shared: Arc<Shared>,
    _task: Arc<Background>,
}

impl RemoteKeySet {
    pub(super) fn new(shared: Arc<Shared>, task: Background) -> Self {
        Self { shared, _task: Arc::new(task) }
    }

    /// Waits until the set has keys. If the provider is down, that takes until it is up again: set a timeout around it.
    ///
    /// Returns at once if the set has keys. If the runtime of the task has been shut down, it may not return.
    pub async fn ready(&self) {
        self.shared.ready().await;
    }

    /// Returns the state, for metrics and health checks.
    pub fn status(&self) -> RemoteKeySetStatus {
        self.shared.status()
    }

    /// Returns the clock by which the keys expire.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// Returns the keys without waiting.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// Returns the keys for a token whose key is not in the set of this fetch, or for which there were no keys.
    ///
    /// Waits for a fetch, within the wait timeout, unless the set has changed since or the cool-down forbids a fetch.
    pub(crate) async fn refresh_for_unknown_key(&self, seen_fetch: u64) -> Snapshot {
        self.shared.refresh_for_unknown_key(seen_fetch).await
    }
}

impl fmt::Debug for RemoteKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeySet").field("status", &self.status()).finish_non_exhaustive()
    }
}
