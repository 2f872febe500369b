use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::error::StoreError;
use super::revocation_log::RevocationLog;
use super::selector::SessionSelector;
use crate::id::SessionId;
use crate::paging::{EndBatch, EndedBatch, SessionPage, SessionPosition};
use crate::revocation::Revocation;
use crate::rotation::{AdvanceRequest, LateRetryRequest};
use crate::session::{EndReason, Session};
use crate::session_limit::SessionLimit;
use crate::time::Timestamp;

/// A session and the time by the store's clock at which it was read.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{
///     PresentedToken, RotationOutcome, RotationPolicy, SessionSnapshot,
/// };
///
/// fn evaluate(snapshot: &SessionSnapshot, token: &PresentedToken) -> RotationOutcome {
///     snapshot.session.evaluate(token, snapshot.now, &RotationPolicy::default())
/// }
/// # use tower_jwt_auth_core::{SecretHash, Session, SessionId, SessionRecord, Timestamp};
/// # let (id, secret_hash) = (SessionId::from_bytes([1; 16]), SecretHash::from_bytes([7; 32]));
/// # let now = Timestamp::from_unix_seconds(1_700_000_000);
/// # let record = SessionRecord::new(id, "https://shop.example", "alice", secret_hash, now);
/// # let snapshot = SessionSnapshot { session: Session::from_record(record), now };
/// let token = PresentedToken { generation: 0, secret_hash };
/// assert_eq!(evaluate(&snapshot, &token), RotationOutcome::Rotate);
/// ```
#[derive(Clone, Debug)]
pub struct SessionSnapshot {
    /// The session.
    pub session: Session,
    /// The time by the store's clock.
    pub now: Timestamp,
}

/// A store of sessions.
///
/// The types that a store takes ([`SessionSelector`], [`LogEntry`](crate::LogEntry),
/// [`RevocationKey`](crate::RevocationKey)) and keeps ([`SessionRecord`](crate::SessionRecord)) are exhaustive on
/// purpose: a store that misses a case does not compile.
///
/// # Contract
///
/// - A change that a call has acknowledged must survive every failure that the store survives. A call that returns an
///   error has had its whole effect or none.
/// - Texts (issuer, subject, IDs, claims, client information) may contain any characters, NUL included, and may be some
///   kilobytes long. They must be returned unchanged.
/// - Time is the store's own: the clock of the engine if several machines share it, so that a node whose clock is wrong
///   does not turn a replay into reuse.
/// - [`end`](Self::end) and [`end_batch`](Self::end_batch) change the sessions and append to the log in one
///   transaction.
///
/// The feature `conformance` of this crate contains tests of this contract.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{
///     Clock, MemoryStore, SecretHash, Session, SessionId, SessionLimit, SessionRecord, SessionStore,
///     SystemClock,
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
/// let snapshot = store.load(session.id()).await?.expect("it was inserted");
/// assert_eq!(snapshot.session, session);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait SessionStore: RevocationLog {
    /// Adds a session and applies the limit of its subject, in one transaction: concurrent sign-ins of a subject are
    /// serialized.
    ///
    /// The limit counts the subject's sessions that are live by the store's clock. If there would be more than it
    /// allows, the store either adds nothing, or ends the oldest other sessions as [`end`](Self::end) does, for
    /// [`EndReason::Limit`], and returns their log entries. The oldest session is the one that was added first,
    /// whatever the clocks of the nodes say. The new session never ends. At most [`SessionLimit::MAX_ENDED`] sessions
    /// end at a time, so that a sign-in of a subject with any number of sessions delays no other call. If a limit is
    /// introduced later, each sign-in brings the subject closer to it.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Conflict`] if a session with this ID exists, which must stay unchanged, and
    /// [`StoreError::Limit`] if the limit rejects the session. In both cases the store is unchanged.
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError>;

    /// Reads a session, which may have ended or expired, from where it was last written (never from a replica).
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be queried.
    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError>;

    /// Moves a session to its next generation in one conditional write. Returns the changed session, or `None` if the
    /// condition is not met.
    ///
    /// The session must be of generation `from_generation` and have this secret. It must not have ended, and it must be
    /// neither idle nor expired by the store's clock. It must be outside of its grace window: it has never rotated,
    /// `rotated_at` is at least `grace` before the store's time, or at least `grace` after it (a clock that was set
    /// back). Otherwise nothing changes.
    ///
    /// The write sets `rotated_at` to the store's time, and `idle_until` to that time plus `idle` but not beyond
    /// `expires_at`. It raises `access_until` and never lowers it. Of concurrent requests one succeeds.
    ///
    /// [`SessionRecord::advance`](crate::SessionRecord::advance) is this condition and effect for a record in memory.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it is not certain whether the write happened.
    async fn advance(&self, request: &AdvanceRequest) -> Result<Option<Session>, StoreError>;

    /// Counts a late retry in one conditional write. Returns the changed session, or `None` if the condition is not
    /// met.
    ///
    /// The session's generation must be one more than the one retried, and it must have this secret. It must not have
    /// ended, be neither idle nor expired, and be outside of its grace window as for [`advance`](Self::advance). The
    /// generation must not have been retried late before, and the retry must make a run of at most `max_running`
    /// generations. Otherwise nothing changes.
    ///
    /// The write sets `late_retry` to the new run and `rotated_at` to the store's time, which opens a window for
    /// repetitions. It raises `access_until`. It does not extend `idle_until`.
    ///
    /// [`SessionRecord::retry_late`](crate::SessionRecord::retry_late) is this condition and effect for a record in
    /// memory.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it is not certain whether the write happened.
    async fn late_retry(&self, request: &LateRetryRequest) -> Result<Option<Session>, StoreError>;

    /// Ends a session and appends a [`Revocation::Session`] that is valid until its `access_until`, in one transaction.
    /// Returns that entry.
    ///
    /// A session that has ended before stays unchanged, and the result is `None`. An expired session is ended, because
    /// its last access token may still be valid.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it is not certain whether the session has ended.
    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError>;

    /// Ends a bounded number of a subject's sessions as [`end`](Self::end) ends one, the oldest first, in one
    /// transaction. Returns their log entries and the position of the next batch.
    ///
    /// A subject may have any number of sessions. To end all of them, callers repeat the call until there is no next
    /// batch, and other calls are served in between. A batch must not take longer than other calls can wait. The first
    /// batch (without `through`) determines which sessions end: those that were added before it began. Sessions that
    /// are added later do not end, and neither does `keep`.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it is not certain whether the sessions have ended.
    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError>;

    /// Reads at most `limit` live sessions of a subject after a position, or from the first one on, in the order in
    /// which they were added. A `limit` of 0 counts as 1.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be queried.
    async fn list(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        limit: usize,
    ) -> Result<SessionPage, StoreError>;

    /// Removes at most `limit` sessions that ended or expired, and whose last access token expired, longer ago than
    /// `older_than` by the store's clock. Returns how many it removed.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the sessions could not be removed.
    async fn purge_sessions(&self, older_than: Duration, limit: usize)
    -> Result<usize, StoreError>;
}

#[async_trait]
impl<T: SessionStore + ?Sized> SessionStore for Arc<T> {
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        (**self).insert(new, limit).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        (**self).load(id).await
    }

    async fn advance(&self, request: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
        (**self).advance(request).await
    }

    async fn late_retry(&self, request: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
        (**self).late_retry(request).await
    }

    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        (**self).end(selector, reason).await
    }

    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        (**self).end_batch(batch).await
    }

    async fn list(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        limit: usize,
    ) -> Result<SessionPage, StoreError> {
        (**self).list(issuer, subject, after, limit).await
    }

    async fn purge_sessions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        (**self).purge_sessions(older_than, limit).await
    }
}
