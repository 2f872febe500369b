//! A store that hangs is out of reach.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use tower_jwt_auth_core::{
    Advance, Cursor, EndReason, LateRetry, Loaded, LogEntry, LogPage, Revocation, RevocationKey,
    RevocationLog, Session, SessionId, SessionLimit, SessionStore, StoreError, Which,
};

/// The longest that a store or a hook may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A store or log whose questions are given up after a while: a request that waits for ever holds what it has,
/// and its client never learns that it should try again.
pub(crate) struct Patient<S>(pub(crate) S);

async fn patiently<T>(
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(StoreError::unavailable(elapsed)),
    }
}

#[async_trait]
impl<S: RevocationLog> RevocationLog for Patient<S> {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        patiently(self.0.append(entries)).await
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        patiently(self.0.read(after, limit)).await
    }

    /// Waits as long as it takes: nobody waits for this alone.
    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        self.0.changed(after).await
    }

    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        patiently(self.0.is_revoked(keys)).await
    }

    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        patiently(self.0.purge_log(older_than, limit)).await
    }
}

#[async_trait]
impl<S: SessionStore> SessionStore for Patient<S> {
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        patiently(self.0.insert(new, limit)).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        patiently(self.0.load(id)).await
    }

    async fn advance(&self, step: &Advance) -> Result<Option<Session>, StoreError> {
        patiently(self.0.advance(step)).await
    }

    async fn late_retry(&self, retry: &LateRetry) -> Result<Option<Session>, StoreError> {
        patiently(self.0.late_retry(retry)).await
    }

    async fn end(
        &self,
        which: &Which<'_>,
        reason: EndReason,
    ) -> Result<Vec<Revocation>, StoreError> {
        patiently(self.0.end(which, reason)).await
    }

    async fn list(&self, issuer: &str, subject: &str) -> Result<Vec<Session>, StoreError> {
        patiently(self.0.list(issuer, subject)).await
    }

    async fn purge_sessions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        patiently(self.0.purge_sessions(older_than, limit)).await
    }
}
