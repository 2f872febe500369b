use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tower_jwt_auth_core::{
    Clock, LogEntry, NodeId, Revocation, RevocationKey, RevocationLog, STORE_TIMEOUT, StoreError,
    SystemClock, Timestamp,
};

use crate::background::{self, Background};
use crate::error::ConfigError;
use crate::revocation::cache::RevocationCache;
use crate::revocation::follower::{Follower, FollowerShared};
use crate::revocation::options::SyncOptions;
use crate::revocation::prepared::PreparedKeys;
use crate::store_guard::GuardedStore;

/// The staleness up to which the list is used without the store, unless a layer sets another one.
pub(crate) const DEFAULT_MAX_STALENESS: Duration = Duration::from_secs(30);
/// The interval at which [`RevocationList::catch_up`] checks the list.
const CATCH_UP_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A copy of the revocations in memory, which never evicts an entry that still concerns a token. A task keeps it in
/// sync with the revocation log.
///
/// Cloning it copies a pointer. The task ends with the last clone.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{MemoryStore, RevocationList};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let list = RevocationList::follow(MemoryStore::new())?;
/// list.ready().await;
/// assert!(list.staleness().is_some());
/// assert!(list.is_complete());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct RevocationList {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// Nothing is revoked. The clock determines when a token expires.
    None(Arc<dyn Clock>),
    Following(Arc<Following>),
}

struct Following {
    log: Arc<dyn RevocationLog>,
    cache: Arc<RevocationCache>,
    clock: Arc<dyn Clock>,
    is_ready: watch::Receiver<bool>,
    /// Requests a heartbeat before the next one is due.
    heartbeat_request: Arc<Notify>,
    _task: Background,
}

impl Following {
    /// Returns the status of keys, given whether the cache contains one of them.
    fn status(
        &self,
        max_staleness: Duration,
        now: Timestamp,
        is_revoked: impl FnOnce(&RevocationCache) -> bool,
    ) -> RevocationStatus {
        // This check precedes the lookup, so that the lookup finds the entries that arrive in between.
        let is_current = self.cache.is_complete()
            && self.cache.staleness(now).is_some_and(|staleness| staleness <= max_staleness);
        if is_revoked(&self.cache) {
            RevocationStatus::Revoked
        } else if is_current {
            RevocationStatus::NotRevoked
        } else {
            RevocationStatus::Unknown
        }
    }
}

/// The result of a lookup in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RevocationStatus {
    /// None of the keys is revoked.
    NotRevoked,
    /// At least one of the keys is revoked.
    Revoked,
    /// The list contains none of the keys, but it is stale or incomplete. Only the store has the answer.
    Unknown,
}

impl RevocationList {
    /// Creates a list that follows this log with the default options.
    ///
    /// # Errors
    ///
    /// - [`ConfigError::NoRuntime`] outside of a tokio runtime.
    /// - [`ConfigError::Entropy`] if the operating system returns no random bytes.
    pub fn follow(log: impl RevocationLog) -> Result<Self, ConfigError> {
        Self::follow_with_options(log, SyncOptions::default())
    }

    /// Creates a list that follows this log with these options.
    ///
    /// # Errors
    ///
    /// The errors of [`follow`](Self::follow).
    pub fn follow_with_options(
        log: impl RevocationLog,
        options: SyncOptions,
    ) -> Result<Self, ConfigError> {
        Self::follow_shared(Arc::new(GuardedStore::new(log)), options)
    }

    /// Creates a list that follows a log to which the caller keeps access.
    pub(crate) fn follow_shared(
        log: Arc<dyn RevocationLog>,
        options: SyncOptions,
    ) -> Result<Self, ConfigError> {
        let runtime = background::runtime()?;
        let node = NodeId::random().map_err(|_| ConfigError::Entropy)?;
        let cache = RevocationCache::new(options.max_entries, Arc::clone(&options.clock))?;
        let cache = Arc::new(cache);
        let (set_ready, is_ready) = watch::channel(false);
        let heartbeat_request = Arc::new(Notify::new());
        let clock = Arc::clone(&options.clock);
        let shared = FollowerShared {
            log: Arc::clone(&log),
            cache: Arc::clone(&cache),
            options,
            node,
            is_ready: set_ready,
            heartbeat_request: Arc::clone(&heartbeat_request),
        };
        let shared = Arc::new(shared);
        let task = Background::start(&runtime, "follower of the revocation log", move || {
            Follower::new(Arc::clone(&shared)).run()
        });
        let following = Following { log, cache, clock, is_ready, heartbeat_request, _task: task };
        Ok(Self { kind: Kind::Following(Arc::new(following)) })
    }

    /// Creates a list without a log: nothing is revoked, and a token is valid until it expires even if its session has
    /// ended.
    ///
    /// [`status`](Self::status) checks the expiry with [`SystemClock`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::RevocationList;
    ///
    /// let list = RevocationList::none();
    /// assert_eq!(list.staleness(), Some(Duration::ZERO));
    /// ```
    pub fn none() -> Self {
        Self::none_with_clock(SystemClock::new())
    }

    /// Creates a list without a log, as [`none`](Self::none) does, that uses another clock, for tests.
    pub fn none_with_clock(clock: impl Clock) -> Self {
        Self { kind: Kind::None(Arc::new(clock)) }
    }

    /// Waits until the list has read the whole log and a heartbeat of this node, so that its
    /// [`staleness`](Self::staleness) is known.
    ///
    /// It waits as long as the log is unavailable. Put a timeout around it.
    pub async fn ready(&self) {
        if let Kind::Following(following) = &self.kind {
            let is_ready = following.is_ready.clone().wait_for(|is_ready| *is_ready).await.is_ok();
            if !is_ready {
                // The follower has ended with its runtime, so this list can no longer become ready.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns the time since the latest heartbeat that this node appended to the log and read back: the list contains
    /// the revocations from before it. Returns `None` until the first heartbeat is read back, and zero for
    /// [`none`](Self::none).
    pub fn staleness(&self) -> Option<Duration> {
        match &self.kind {
            Kind::None(_) => Some(Duration::ZERO),
            Kind::Following(following) => following.cache.staleness(following.clock.now()),
        }
    }

    /// Returns whether the list had room for all entries of the log
    /// ([`SyncOptions::with_max_entries`](super::SyncOptions::with_max_entries)). An incomplete list queries the store
    /// for the tokens that it does not contain.
    pub fn is_complete(&self) -> bool {
        match &self.kind {
            Kind::None(_) => true,
            Kind::Following(following) => following.cache.is_complete(),
        }
    }

    /// Returns whether one of these keys is revoked. Queries the store if the list is stale or incomplete.
    pub(crate) async fn is_any_revoked(
        &self,
        keys: &[RevocationKey<'_>],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match self.lookup(keys.iter().copied(), DEFAULT_MAX_STALENESS, now) {
            RevocationStatus::NotRevoked => Ok(false),
            RevocationStatus::Revoked => Ok(true),
            RevocationStatus::Unknown => self.query_store(keys).await,
        }
    }

    /// Looks the keys up in memory.
    pub(crate) fn lookup<'k>(
        &self,
        mut keys: impl Iterator<Item = RevocationKey<'k>>,
        max_staleness: Duration,
        now: Timestamp,
    ) -> RevocationStatus {
        let Kind::Following(following) = &self.kind else { return RevocationStatus::NotRevoked };
        following.status(max_staleness, now, |cache| keys.any(|key| cache.contains(&key)))
    }

    /// Prepares the keys of a token that is looked up repeatedly.
    pub(crate) fn prepare<'k>(
        &self,
        keys: impl Iterator<Item = RevocationKey<'k>>,
    ) -> PreparedKeys {
        match &self.kind {
            Kind::None(_) => PreparedKeys::new(None),
            Kind::Following(following) => PreparedKeys::new(Some(following.cache.targets(keys))),
        }
    }

    /// Looks up keys that this list has prepared. The lookup is skipped while nothing has been added to the list since
    /// the last one found none of them.
    pub(crate) fn lookup_prepared(
        &self,
        keys: &PreparedKeys,
        max_staleness: Duration,
        now: Timestamp,
    ) -> RevocationStatus {
        let Kind::Following(following) = &self.kind else { return RevocationStatus::NotRevoked };
        following.status(max_staleness, now, |cache| keys.are_revoked(cache))
    }

    /// Queries the store, without a lookup in memory.
    pub(crate) async fn query_store(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        match &self.kind {
            Kind::None(_) => Ok(false),
            Kind::Following(following) => following.log.is_revoked(keys).await,
        }
    }

    /// Appends a revocation to the log and inserts it into the list.
    ///
    /// It holds on this node once this returns, and on the other nodes once they have read the log.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the log does not confirm the entry, which it may contain nevertheless. A list without a log
    /// ([`none`](Self::none)) always returns [`StoreError::Unavailable`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::store::{Clock as _, Revocation, SystemClock};
    /// use tower_jwt_auth::{MemoryStore, RevocationList};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let list = RevocationList::follow(MemoryStore::new())?;
    /// // A token of another issuer, which expires within an hour.
    /// let revocation = Revocation::Token {
    ///     issuer: "https://login.example".into(),
    ///     jti: "5f2c".into(),
    ///     until: SystemClock::new().now() + Duration::from_secs(3600),
    /// };
    /// list.revoke(revocation.clone()).await?;
    /// assert!(RevocationList::none().revoke(revocation).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        let Kind::Following(following) = &self.kind else {
            return Err(StoreError::unavailable("there is no revocation log"));
        };
        following.log.append(&[LogEntry::Revocation(revocation.clone())]).await?;
        following.cache.insert(&revocation);
        Ok(())
    }

    /// Waits until the list contains all entries that the log contained at this instant.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] after [`STORE_TIMEOUT`].
    pub(crate) async fn catch_up(&self, instant: Instant) -> Result<(), StoreError> {
        let Kind::Following(following) = &self.kind else { return Ok(()) };
        let caught_up = async {
            while !following.cache.is_fresh_as_of(instant) {
                // Requested again each time: a heartbeat of the same millisecond may precede the instant.
                following.heartbeat_request.notify_one();
                sleep(CATCH_UP_POLL_INTERVAL).await;
            }
        };
        timeout(STORE_TIMEOUT, caught_up).await.map_err(StoreError::unavailable)
    }

    /// Inserts revocations that the store has written to the log itself.
    pub(crate) fn record(&self, revocations: &[Revocation]) {
        if let Kind::Following(following) = &self.kind {
            for revocation in revocations {
                following.cache.insert(revocation);
            }
        }
    }

    /// Returns the time by the clock of the list.
    pub(super) fn now(&self) -> Timestamp {
        match &self.kind {
            Kind::None(clock) => clock.now(),
            Kind::Following(following) => following.clock.now(),
        }
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList")
            .field("staleness", &self.staleness())
            .field("complete", &self.is_complete())
            .finish_non_exhaustive()
    }
}
