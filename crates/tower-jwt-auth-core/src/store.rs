use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{
    AdvanceRequest, Cursor, EndBatch, EndReason, EndedBatch, LateRetryRequest, LogEntry, LogPage,
    Revocation, RevocationKey, SecretHash, Session, SessionId, SessionLimit, SessionPage,
    SessionPosition, Timestamp,
};

/// The time after which callers give up a call of a store.
///
/// A store that answers later counts as unavailable. A store that sets timeouts of its own (for connections, locks or
/// replicas) keeps them shorter, so that the error names the cause.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached, or not just now. The same call may go through later.
    #[error("the store is out of reach")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// What it holds makes no sense.
    #[error("the store holds something that cannot be read")]
    Corrupt(#[source] Box<dyn StdError + Send + Sync>),
    /// There is a session of that name already. Nothing was changed.
    #[error("a session of that name exists")]
    Conflict,
    /// The subject has as many sessions as allowed. Nothing was changed.
    #[error("the subject has as many sessions as allowed")]
    Limit,
}

impl StoreError {
    /// The store cannot be reached, for this reason.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    /// The store holds something that cannot be read, for this reason.
    pub fn corrupt(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Corrupt(source.into())
    }
}

/// A session and the time by the store's clock at which it was read.
#[derive(Clone, Debug)]
pub struct SessionSnapshot {
    /// The row.
    pub session: Session,
    /// The store's time.
    pub now: Timestamp,
}

/// Which session to end.
#[derive(Clone, Copy, Debug)]
pub enum SessionSelector<'a> {
    /// This one, whoever's it is.
    ById {
        /// The session.
        id: SessionId,
    },
    /// This one, if the secret that was presented is its own.
    ByToken {
        /// The session.
        id: SessionId,
        /// The hash of the secret that was presented.
        secret_hash: SecretHash,
    },
    /// This one, if it is the subject's.
    Owned {
        /// The issuer of the subject.
        issuer: &'a str,
        /// The subject.
        subject: &'a str,
        /// The session.
        id: SessionId,
    },
}

/// The durable record of what has been revoked, in the order in which it happened.
///
/// # Contract
///
/// - An entry that [`append`](Self::append) has acknowledged must survive whatever the store survives.
/// - Entries are idempotent: the same one twice means the same as once. One that names the same thing with
///   another `until` must not shorten what was there.
/// - A reader that goes from cursor to cursor must see every entry that was committed, in spite of writers
///   that commit in another order than they began. Seeing one twice does no harm.
/// - An entry must not be removed before [`purge_log`](Self::purge_log) is told so.
#[async_trait]
pub trait RevocationLog: Send + Sync + 'static {
    /// Writes the entries, all of them or none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not certain that they were written.
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError>;

    /// Reads at most `limit` entries (at least one is asked for) after the cursor, or from the start.
    ///
    /// Must answer [`LogPage::CursorLost`] for a cursor of another incarnation of the log (it was restored,
    /// failed over to a copy that lacked something, or emptied) and for one beyond its end.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the log cannot be read.
    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError>;

    /// Waits until there may be something to read after the cursor.
    ///
    /// It only saves time: it may return for nothing, and whoever calls it reads on a timer as well. It must
    /// be safe to drop at any moment.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the log cannot be watched.
    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError>;

    /// Whether any of these has been revoked, from the log itself and never from a copy of it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the log cannot be asked.
    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError>;

    /// Removes at most `limit` entries whose `until` is longer ago than this by the store's clock, so that a
    /// node whose own clock is wrong removes nothing that others need; tells how many it removed.
    ///
    /// Cursors stay valid.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when nothing could be removed.
    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError>;
}

/// Where sessions are kept.
///
/// What a store is asked with ([`SessionSelector`], [`LogEntry`], [`RevocationKey`]) and has to keep
/// ([`SessionRecord`](crate::SessionRecord)) is complete on purpose: a store that forgets a case does not compile.
///
/// # Contract
///
/// - What a call has acknowledged must survive whatever the store survives; what it answered with an error
///   may or may not have happened, but never by halves.
/// - Texts (issuer, subject, names, claims, device) may be of any characters, NUL included, and of some
///   kilobytes. They must come back as they were.
/// - Time is the store's own: the engine's clock where several machines share it, so that a node whose clock
///   is off does not turn a replay into reuse.
/// - [`end`](Self::end) and [`end_batch`](Self::end_batch) change the rows and append to the log in one
///   transaction.
#[async_trait]
pub trait SessionStore: RevocationLog {
    /// Adds a session and keeps its subject to a limit, in one transaction: sign-ins of the same subject at
    /// the same moment happen one after the other.
    ///
    /// Counted are the subject's sessions that are live by the store's clock. Where there would be more than
    /// allowed, either nothing is added, or the oldest others end as [`end`](Self::end) would end them, for
    /// [`EndReason::Limit`]; their log entries are returned. The oldest is the one that was added first,
    /// whatever the clocks of nodes say. The new session never ends. At most [`SessionLimit::MAX_ENDED`] end at
    /// a time, so that a sign-in of a subject with any number of sessions holds up nobody: where a limit comes
    /// late, each sign-in brings the subject nearer to it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when there is a session of that name, which must be left as it is;
    /// [`StoreError::Limit`] when the limit refuses. Nothing has been changed then.
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError>;

    /// Reads a session, ended and expired ones too, from where it was last written (never from a replica).
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be asked.
    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError>;

    /// Moves a session to its next generation in one conditional write, and returns the new row.
    ///
    /// The write must happen only if the session is of generation `from_generation`, has this secret, is not
    /// ended, is neither idle nor expired by the store's clock, and is outside of its grace window: it has never
    /// rotated, or `rotated_at` is at least `grace` before the store's time, or at least as much after it (a clock
    /// that was set back). Otherwise nothing changes and the answer
    /// is `None`. It sets `rotated_at` to the store's time, `idle_until` to that time plus `idle` but not
    /// beyond `expires_at`, and raises `access_until`, never lowering it. Of several at a time one wins.
    ///
    /// [`SessionRecord::advance`](crate::SessionRecord::advance) is this condition and effect for a row in memory.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not certain whether it happened.
    async fn advance(&self, step: &AdvanceRequest) -> Result<Option<Session>, StoreError>;

    /// Counts a late retry in one conditional write, and returns the row.
    ///
    /// The write must happen only if the session's generation is one more than the one retried, it has this
    /// secret, is not ended, is neither idle nor expired, is outside of its grace window as for
    /// [`advance`](Self::advance), this generation has not been retried late before, and the retry makes a run of
    /// no more than `max_running` generations. Otherwise nothing changes and the answer is `None`. It sets
    /// `late_retry` to the new run and `rotated_at` to the store's time, which opens a window for repetitions,
    /// and raises `access_until`. It does not slide the idle expiry.
    ///
    /// [`SessionRecord::retry_late`](crate::SessionRecord::retry_late) is this condition and effect for a row in
    /// memory.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not certain whether it happened.
    async fn late_retry(&self, retry: &LateRetryRequest) -> Result<Option<Session>, StoreError>;

    /// Ends a session, and appends a [`Revocation::Session`] until its `access_until`, in one transaction.
    /// Returns that entry.
    ///
    /// A session that has been ended before is left as it is, and the answer is `None`; an expired one is ended,
    /// since its last access token may still live.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not certain whether it happened.
    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError>;

    /// Ends a bounded number of a subject's sessions as [`end`](Self::end) ends one, in one transaction, the
    /// oldest first. Returns their log entries, and where the next batch begins.
    ///
    /// A subject may have any number of sessions, so whoever ends all of them calls this until there is no next
    /// batch, and others are served in between. A batch must take no longer than other calls can wait. The first
    /// batch (without `through`) fixes which sessions are concerned: those that were added before it began. One
    /// that is added later goes on, and so does `keep`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not certain whether it happened.
    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError>;

    /// Reads at most `limit` live sessions of a subject (at least one is asked for), in the order in which they
    /// were added, those after a position or from the first one on.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be asked.
    async fn list(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        limit: usize,
    ) -> Result<SessionPage, StoreError>;

    /// Removes at most `limit` sessions that have been over, with their last access token, for longer than
    /// this by the store's clock; tells how many it removed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when nothing could be removed.
    async fn purge_sessions(&self, older_than: Duration, limit: usize)
    -> Result<usize, StoreError>;
}

#[async_trait]
impl<T: RevocationLog + ?Sized> RevocationLog for Arc<T> {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        (**self).append(entries).await
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        (**self).read(after, limit).await
    }

    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        (**self).changed(after).await
    }

    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        (**self).is_revoked(keys).await
    }

    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        (**self).purge_log(older_than, limit).await
    }
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

    async fn advance(&self, step: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
        (**self).advance(step).await
    }

    async fn late_retry(&self, retry: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
        (**self).late_retry(retry).await
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
