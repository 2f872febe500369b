//! The local replica of the revocation log.
//!
//! Four files: `cache` is the cache, `follower` the task that keeps it in step with the log, `status`
//! the answer for a whole identity, and this one what others ask.

mod cache;
mod follower;
mod status;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tower_jwt_auth_core::{
    Clock, LogEntry, NodeId, Revocation, RevocationKey, RevocationLog, STORE_TIMEOUT, StoreError,
    SystemClock, Timestamp,
};

use self::cache::RevocationCache;
use self::follower::{Follower, FollowerShared};
pub use self::status::TokenStatus;
use crate::background::{self, Background};
use crate::error::ConfigError;
use crate::store_guard::GuardedStore;

/// How long an entry is kept beyond the expiry of the last token that it concerns: the most leeway that a
/// verifier can grant, and a minute for clocks that are set.
pub(crate) const RETENTION: Duration =
    Duration::from_secs(crate::claims::MAX_LEEWAY.as_secs() + 60);

/// How often it is looked whether the list has caught up, where somebody waits for that.
const CATCH_UP_POLL: Duration = Duration::from_millis(5);

/// How old the list may be to be believed, unless a layer is told otherwise.
pub(crate) const DEFAULT_MAX_STALENESS: Duration = Duration::from_secs(30);

/// How the log is followed.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use tower_jwt_auth::revocation::SyncOptions;
///
/// let policy = SyncOptions::default().with_heartbeat(Duration::from_secs(2))?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SyncOptions {
    heartbeat: Duration,
    reread: Duration,
    most_entries: u64,
    purges: bool,
    clock: Arc<dyn Clock>,
}

impl Default for SyncOptions {
    /// A heartbeat every 5 seconds, everything read again every 5 minutes, 4 million entries at most.
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(5),
            reread: Duration::from_secs(300),
            most_entries: 4_000_000,
            purges: true,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

impl SyncOptions {
    /// How often a sign of life is written to the log and read back. Staleness is counted from the last one:
    /// this must be a small part of what a layer takes for stale
    /// ([`with_max_staleness`](crate::JwtAuthLayer::with_max_staleness)).
    ///
    /// # Errors
    ///
    /// [`ConfigError::Duration`] below 10 milliseconds or above a minute.
    pub fn with_heartbeat(mut self, every: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_millis(10)..=Duration::from_secs(60)).contains(&every) {
            let hint = "give 10 milliseconds to a minute";
            return Err(ConfigError::Duration { what: "heartbeat", given: every, hint });
        }
        self.heartbeat = every;
        Ok(self)
    }

    /// How often the whole log is read again, to heal whatever went wrong.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Duration`] below 10 milliseconds or above a day.
    pub fn with_full_resync_interval(mut self, every: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_millis(10)..=Duration::from_secs(24 * 3600)).contains(&every) {
            let hint = "give 10 milliseconds to a day";
            return Err(ConfigError::Duration { what: "time between rereads", given: every, hint });
        }
        self.reread = every;
        Ok(self)
    }

    /// How many entries are kept, at some 350 bytes each. Beyond that nothing is forgotten: the list says
    /// that it is incomplete, and what it does not know is asked of the store until all fits again.
    pub fn with_max_entries(mut self, most: u64) -> Self {
        self.most_entries = most;
        self
    }

    /// Leaves entries in the log that are of no use any more, for those who remove them elsewhere. Otherwise
    /// they are removed when the log is read again.
    pub fn without_log_purging(mut self) -> Self {
        self.purges = false;
        self
    }

    /// Another clock, for tests.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

/// What has been revoked: a cache in memory that never forgets, kept in step with the log by a task of its own.
///
/// Cloning it copies a pointer; the task ends with the last clone.
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
    /// Nothing is ever revoked; expiry goes by this clock.
    None(Arc<dyn Clock>),
    Following(Arc<Following>),
}

struct Following {
    log: Arc<dyn RevocationLog>,
    entries: Arc<RevocationCache>,
    clock: Arc<dyn Clock>,
    is_ready: watch::Receiver<bool>,
    /// Asks for a heartbeat before it is due.
    hurry: Arc<Notify>,
    _task: Background,
}

/// What the list knows of some keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RevocationStatus {
    /// None of them is revoked.
    NotRevoked,
    /// One of them is revoked.
    Revoked,
    /// None is known to be, but the list is behind or incomplete: the store has to be asked.
    Unknown,
}

impl RevocationList {
    /// Follows this log.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRuntime`] outside a tokio runtime.
    pub fn follow(log: impl RevocationLog) -> Result<Self, ConfigError> {
        Self::follow_with_options(log, SyncOptions::default())
    }

    /// Follows this log in this way.
    ///
    /// # Errors
    ///
    /// As [`follow`](Self::follow).
    pub fn follow_with_options(
        log: impl RevocationLog,
        policy: SyncOptions,
    ) -> Result<Self, ConfigError> {
        Self::follow_shared(Arc::new(GuardedStore::new(log)), policy)
    }

    pub(crate) fn follow_shared(
        log: Arc<dyn RevocationLog>,
        policy: SyncOptions,
    ) -> Result<Self, ConfigError> {
        let runtime = background::runtime()?;
        let node = NodeId::random().map_err(|_| ConfigError::Entropy)?;
        let entries = RevocationCache::new(policy.most_entries, Arc::clone(&policy.clock))?;
        let entries = Arc::new(entries);
        let (tell, is_ready) = watch::channel(false);
        let hurry = Arc::new(Notify::new());
        let clock = Arc::clone(&policy.clock);
        let shared = FollowerShared {
            log: Arc::clone(&log),
            entries: Arc::clone(&entries),
            policy,
            node,
            is_ready: tell,
            hurry: Arc::clone(&hurry),
        };
        let shared = Arc::new(shared);
        let task = Background::start(&runtime, "follower of the revocation log", move || {
            Follower::new(Arc::clone(&shared)).run()
        });
        let following = Following { log, entries, clock, is_ready, hurry, _task: task };
        Ok(Self { kind: Kind::Following(Arc::new(following)) })
    }

    /// No revocation at all: a token lives until it expires, whatever happens to its session.
    ///
    /// `status`(Self::status) judges expiry by [`SystemClock`].
    pub fn none() -> Self {
        Self::none_with_clock(SystemClock::new())
    }

    /// As [`none`](Self::none), with another clock, for tests.
    pub fn none_with_clock(clock: impl Clock) -> Self {
        Self { kind: Kind::None(Arc::new(clock)) }
    }

    /// Waits until the list is fresh for the first time: the whole log has been read, an entry of ours has come
    /// back, and [`staleness`](Self::staleness) is known. That takes as long as the log is out of reach, so put a
    /// timeout around it.
    pub async fn ready(&self) {
        if let Kind::Following(following) = &self.kind {
            let is_ready = following.is_ready.clone().wait_for(|is_ready| *is_ready).await.is_ok();
            if !is_ready {
                // The follower is gone, with its runtime: this list will never be ready.
                std::future::pending::<()>().await;
            }
        }
    }

    /// How long ago the log was last seen to take an entry of ours and to give it back; `None` before the
    /// first time. Always zero for [`none`](Self::none).
    pub fn staleness(&self) -> Option<Duration> {
        match &self.kind {
            Kind::None(_) => Some(Duration::ZERO),
            Kind::Following(following) => following.entries.staleness(following.clock.now()),
        }
    }

    /// Whether everything that the log holds is in the list. Where it is not, the store is asked.
    pub fn is_complete(&self) -> bool {
        match &self.kind {
            Kind::None(_) => true,
            Kind::Following(following) => following.entries.is_complete(),
        }
    }

    /// Whether one of these is revoked, by the list, and by the store where the list cannot tell.
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

    /// What is known of these keys, without waiting.
    pub(crate) fn lookup<'k>(
        &self,
        keys: impl Iterator<Item = RevocationKey<'k>>,
        max_staleness: Duration,
        now: Timestamp,
    ) -> RevocationStatus {
        let Kind::Following(following) = &self.kind else { return RevocationStatus::NotRevoked };
        let entries = &following.entries;
        // Whether the list can be trusted is asked first: what arrives in between is then found below.
        let is_current = entries.is_complete()
            && entries.staleness(now).is_some_and(|staleness| staleness <= max_staleness);
        if keys.into_iter().any(|key| entries.covers(&key)) {
            RevocationStatus::Revoked
        } else if is_current {
            RevocationStatus::NotRevoked
        } else {
            RevocationStatus::Unknown
        }
    }

    /// Asks the store itself.
    pub(crate) async fn query_store(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        match &self.kind {
            Kind::None(_) => Ok(false),
            Kind::Following(following) => following.log.is_revoked(keys).await,
        }
    }

    /// Writes a revocation to the log, and then to the list.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not certain that the log has it; with [`none`](Self::none), which has no log,
    /// always, however often it is tried.
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        let Kind::Following(following) = &self.kind else {
            return Err(StoreError::unavailable("there is no revocation log"));
        };
        following.log.append(&[LogEntry::Revocation(revocation.clone())]).await?;
        following.entries.insert(&revocation);
        Ok(())
    }

    /// Waits until everything that was in the log at this instant is in the list.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when that takes too long.
    pub(crate) async fn catch_up(&self, instant: Instant) -> Result<(), StoreError> {
        let Kind::Following(following) = &self.kind else { return Ok(()) };
        let fresh = async {
            while !following.entries.is_fresh_as_of(instant) {
                // Each time: a heartbeat of the same millisecond may be of just before.
                following.hurry.notify_one();
                sleep(CATCH_UP_POLL).await;
            }
        };
        timeout(STORE_TIMEOUT, fresh).await.map_err(StoreError::unavailable)
    }

    /// Takes note of what the log has got in another way.
    pub(crate) fn record(&self, revocations: &[Revocation]) {
        if let Kind::Following(following) = &self.kind {
            for revocation in revocations {
                following.entries.insert(revocation);
            }
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

#[cfg(test)]
mod tests;
