use std::time::Duration;

use crate::id::SessionId;
use crate::session::{LateRetryRun, SecretHash, SessionRecord};
use crate::time::Timestamp;

/// A request to move a session to its next generation.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth_core::{
///     AdvanceRequest, MemoryStore, SecretHash, Session, SessionId, SessionLimit, SessionRecord,
///     SessionStore, SystemClock, Clock,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let (now, hash) = (SystemClock::new().now(), SecretHash::from_bytes([7; 32]));
/// let record = SessionRecord::new(SessionId::random()?, "https://shop.example", "alice", hash, now);
/// let session = Session::from_record(record);
/// store.insert(&session, SessionLimit::default()).await?;
///
/// let request = AdvanceRequest {
///     id: session.id(),
///     secret_hash: hash,
///     from_generation: 0,
///     grace: Duration::from_secs(10),
///     idle: Duration::from_secs(3600),
///     access_until: now + Duration::from_secs(300),
/// };
/// let advanced = store.advance(&request).await?.expect("generation 0 is current");
/// assert_eq!(advanced.generation(), 1);
/// assert!(store.advance(&request).await?.is_none(), "generation 0 is spent");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AdvanceRequest {
    /// The ID of the session.
    pub id: SessionId,
    /// The hash of the secret that was presented.
    pub secret_hash: SecretHash,
    /// The generation that was presented. It must be the current one.
    pub from_generation: u64,
    /// The time after a rotation in which the session does not rotate again.
    pub grace: Duration,
    /// The time that the session lives from now on without a refresh.
    pub idle: Duration,
    /// The `exp` of the access token that is issued with this request.
    pub access_until: Timestamp,
}

/// A request to retry the previous generation after the grace window.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth_core::{LateRetryRequest, RotationPolicy, Session, Timestamp};
///
/// /// The retry that a policy allows for the holder of the previous token.
/// fn late_retry(session: &Session, policy: &RotationPolicy, exp: Timestamp) -> LateRetryRequest {
///     LateRetryRequest {
///         id: session.id(),
///         secret_hash: session.record().secret_hash,
///         generation: session.generation() - 1,
///         grace: policy.grace(),
///         max_running: policy.late_retries(),
///         access_until: exp,
///     }
/// }
/// # use tower_jwt_auth_core::{SecretHash, SessionId, SessionRecord};
/// # let now = Timestamp::from_unix_seconds(1_700_000_000);
/// # let (id, hash) = (SessionId::from_bytes([1; 16]), SecretHash::from_bytes([7; 32]));
/// # let mut record = SessionRecord::new(id, "https://shop.example", "alice", hash, now);
/// # record.generation = 3;
/// # let policy = RotationPolicy::default();
/// # let request = late_retry(&Session::from_record(record.clone()), &policy, now);
/// assert!(record.retry_late(&request, now + policy.grace()));
/// ```
#[derive(Clone, Debug)]
pub struct LateRetryRequest {
    /// The ID of the session.
    pub id: SessionId,
    /// The hash of the secret that was presented.
    pub secret_hash: SecretHash,
    /// The generation that was presented: one less than the current one.
    pub generation: u64,
    /// The time after a rotation or a late retry in which repetitions are replays.
    pub grace: Duration,
    /// The maximum number of consecutive generations in which a late retry is granted.
    pub max_running: u32,
    /// The `exp` of the access token that is issued with this request.
    pub access_until: Timestamp,
}

/// Returns whether the session rotated or granted a late retry less than `grace` ago. A session that has never
/// rotated has no window: its first refresh rotates.
///
/// A `rotated_at` more than `grace` ahead of `now` comes from a clock that has since been set back, and opens no
/// window. Such a window would last until the clock has caught up, and the access tokens of replays, which expire at
/// `access_until`, would expire before.
pub(super) fn is_in_window(record: &SessionRecord, now: Timestamp, grace: Duration) -> bool {
    record.generation > 0 && now < record.rotated_at + grace && record.rotated_at < now + grace
}

impl SessionRecord {
    /// Moves the record to its next generation if the request applies at this time. Returns whether it did.
    ///
    /// This is the condition and the effect of [`SessionStore::advance`](crate::SessionStore::advance), for stores
    /// that keep records in memory under a lock and for the model check of the rule.
    pub fn advance(&mut self, request: &AdvanceRequest, now: Timestamp) -> bool {
        let is_current =
            self.generation == request.from_generation && self.secret_hash == request.secret_hash;
        if !is_current || !self.is_live(now) || is_in_window(self, now, request.grace) {
            return false;
        }
        let Some(next) = self.generation.checked_add(1) else { return false };
        self.generation = next;
        self.rotated_at = now;
        self.idle_until = (now + request.idle).min(self.expires_at);
        self.access_until = self.access_until.max(request.access_until);
        true
    }

    /// Counts a late retry in the record if the request applies at this time. Returns whether it did.
    ///
    /// This is the condition and the effect of [`SessionStore::late_retry`](crate::SessionStore::late_retry).
    pub fn retry_late(&mut self, request: &LateRetryRequest, now: Timestamp) -> bool {
        let is_previous = request.generation.checked_add(1) == Some(self.generation)
            && self.secret_hash == request.secret_hash;
        if !is_previous || !self.is_live(now) || is_in_window(self, now, request.grace) {
            return false;
        }
        let run = LateRetryRun::after(self.late_retry, request.generation);
        let Some(run) = run.filter(|run| run.length <= request.max_running) else { return false };
        self.late_retry = Some(run);
        self.rotated_at = now;
        self.access_until = self.access_until.max(request.access_until);
        true
    }
}
