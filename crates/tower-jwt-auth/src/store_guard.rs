//! A store that hangs is out of reach.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tower_jwt_auth_core::{
    AdvanceRequest, Cursor, EndBatch, EndReason, EndedBatch, LateRetryRequest, LogEntry, LogPage,
    Revocation, RevocationKey, RevocationLog, STORE_TIMEOUT, Session, SessionId, SessionLimit,
    SessionPage, SessionPosition, SessionSelector, SessionSnapshot, SessionStore, StoreError,
};

/// Who waited as long as this for an error is the last one to wait for it.
const TRIP_AFTER: Duration = Duration::from_secs(1);

/// A store or log whose questions are given up after a while: a request that waits for ever holds what it has,
/// and its client never learns that it should try again.
pub(crate) struct GuardedStore<S> {
    inner: S,
    /// A store may take no writes, and still tell what is revoked.
    reads: CircuitBreaker,
    writes: CircuitBreaker,
}

/// While a store is found to keep its callers waiting for nothing, one of them at a time asks it and the others
/// are told at once: a crowd would wait for what the first one is about to learn.
#[derive(Default)]
struct CircuitBreaker {
    is_out_of_reach: AtomicBool,
    /// How many questions were answered: one that was lost while others were answered says nothing.
    answered: AtomicUsize,
    asking: Mutex<()>,
}

impl<S> GuardedStore<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, reads: CircuitBreaker::default(), writes: CircuitBreaker::default() }
    }
}

impl CircuitBreaker {
    async fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let _turn = match self.is_out_of_reach.load(Ordering::Relaxed) {
            false => None,
            true => Some(self.asking.try_lock().map_err(StoreError::unavailable)?),
        };
        let (begun, answered) = (Instant::now(), self.answered.load(Ordering::Relaxed));
        let answer = with_timeout(answer).await;
        match &answer {
            Err(StoreError::Unavailable(_)) if begun.elapsed() >= TRIP_AFTER => {
                let is_lost = answered == self.answered.load(Ordering::Relaxed);
                self.is_out_of_reach.store(is_lost, Ordering::Relaxed);
            }
            _ => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                self.is_out_of_reach.store(false, Ordering::Relaxed);
            }
        }
        answer
    }
}

async fn with_timeout<T>(
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match timeout(STORE_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(StoreError::unavailable(elapsed)),
    }
}

#[async_trait]
impl<S: RevocationLog> RevocationLog for GuardedStore<S> {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        self.writes.ask(self.inner.append(entries)).await
    }

    /// Asked by the follower alone, of which there is one.
    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        with_timeout(self.inner.read(after, limit)).await
    }

    /// Waits as long as it takes: nobody waits for this alone.
    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        self.inner.changed(after).await
    }

    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        self.reads.ask(self.inner.is_revoked(keys)).await
    }

    /// That a large removal takes long says nothing of the store.
    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        with_timeout(self.inner.purge_log(older_than, limit)).await
    }
}

#[async_trait]
impl<S: SessionStore> SessionStore for GuardedStore<S> {
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        self.writes.ask(self.inner.insert(new, limit)).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        self.reads.ask(self.inner.load(id)).await
    }

    async fn advance(&self, step: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
        self.writes.ask(self.inner.advance(step)).await
    }

    async fn late_retry(&self, retry: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
        self.writes.ask(self.inner.late_retry(retry)).await
    }

    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        self.writes.ask(self.inner.end(selector, reason)).await
    }

    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        self.writes.ask(self.inner.end_batch(batch)).await
    }

    async fn list(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        limit: usize,
    ) -> Result<SessionPage, StoreError> {
        self.reads.ask(self.inner.list(issuer, subject, after, limit)).await
    }

    async fn purge_sessions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        with_timeout(self.inner.purge_sessions(older_than, limit)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tower_jwt_auth_core::MemoryStore;

    use super::*;

    /// A log that takes writes never, and tells what is revoked as it is set.
    struct Slow {
        hangs: AtomicBool,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl RevocationLog for Slow {
        async fn append(&self, _: &[LogEntry]) -> Result<(), StoreError> {
            std::future::pending().await
        }

        async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
            MemoryStore::new().read(after, limit).await
        }

        async fn changed(&self, _: Option<&Cursor>) -> Result<(), StoreError> {
            Ok(())
        }

        async fn is_revoked(&self, _: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            Ok(false)
        }

        async fn purge_log(&self, _: Duration, _: usize) -> Result<usize, StoreError> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_one_waits_for_a_store_that_hangs_the_others_are_told_at_once() {
        let slow = Slow { hangs: AtomicBool::new(true), asked: AtomicUsize::new(0) };
        let store = Arc::new(GuardedStore::new(Arc::new(slow)));
        let begun = Instant::now();
        assert!(store.is_revoked(&[]).await.is_err());
        assert_eq!(begun.elapsed(), STORE_TIMEOUT);

        let waiting = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.is_revoked(&[]).await }
        });
        tokio::task::yield_now().await;
        let begun = Instant::now();
        for _ in 0..100 {
            assert!(store.is_revoked(&[]).await.is_err());
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(waiting.await.unwrap().is_err());
        assert_eq!(store.inner.asked.load(Ordering::SeqCst), 2);

        // Whoever asks first once it answers again opens it to all.
        store.inner.hangs.store(false, Ordering::SeqCst);
        assert!(!store.is_revoked(&[]).await.unwrap());
        let (one, other) = tokio::join!(store.is_revoked(&[]), store.is_revoked(&[]));
        assert!(one.is_ok() && other.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_question_that_is_lost_while_others_are_answered_keeps_nobody_out() {
        let slow = Slow { hangs: AtomicBool::new(true), asked: AtomicUsize::new(0) };
        let store = Arc::new(GuardedStore::new(Arc::new(slow)));
        let lost = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.is_revoked(&[]).await }
        });
        tokio::task::yield_now().await;
        store.inner.hangs.store(false, Ordering::SeqCst);
        assert!(store.is_revoked(&[]).await.is_ok());
        assert!(lost.await.unwrap().is_err());
        let (one, other) = tokio::join!(store.is_revoked(&[]), store.is_revoked(&[]));
        assert!(one.is_ok() && other.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_takes_no_writes_is_asked_what_is_revoked_all_the_same() {
        let slow = Slow { hangs: AtomicBool::new(false), asked: AtomicUsize::new(0) };
        let store = Arc::new(GuardedStore::new(Arc::new(slow)));
        assert!(store.append(&[]).await.is_err());
        let writing = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.append(&[]).await }
        });
        tokio::task::yield_now().await;
        assert!(store.append(&[]).await.is_err());
        assert!(store.is_revoked(&[]).await.is_ok());
        assert!(writing.await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_removal_that_takes_long_keeps_nobody_out() {
        let slow = Slow { hangs: AtomicBool::new(false), asked: AtomicUsize::new(0) };
        let store = GuardedStore::new(Arc::new(slow));
        assert!(store.purge_log(Duration::ZERO, 1).await.is_err());
        let (one, other) = tokio::join!(store.is_revoked(&[]), store.is_revoked(&[]));
        assert!(one.is_ok() && other.is_ok());
    }
}
