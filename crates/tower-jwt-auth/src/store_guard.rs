//! The timeout and the circuit breakers around every store.

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

/// An error that took at least this long opens the circuit.
const TRIP_AFTER: Duration = Duration::from_secs(1);

/// A store or a log whose calls have a timeout. Without one a request could wait indefinitely: it would keep its
/// resources, and its client would not know that it should retry.
pub(crate) struct GuardedStore<S: ?Sized> {
    /// Reads have a circuit of their own: a store that accepts no writes may still return revocations.
    reads: CircuitBreaker,
    writes: CircuitBreaker,
    inner: S,
}

/// Limits the callers that wait for an unavailable store: while the circuit is open, one caller at a time probes the
/// store, and the others fail immediately.
#[derive(Default)]
struct CircuitBreaker {
    is_open: AtomicBool,
    /// The number of calls that the store answered. A call that times out while others are answered does not open the
    /// circuit.
    answered: AtomicUsize,
    probe: Mutex<()>,
}

impl<S> GuardedStore<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { reads: CircuitBreaker::default(), writes: CircuitBreaker::default(), inner }
    }
}

impl CircuitBreaker {
    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let _probe = match self.is_open.load(Ordering::Relaxed) {
            false => None,
            true => Some(self.probe.try_lock().map_err(StoreError::unavailable)?),
        };
        let (begun, answered) = (Instant::now(), self.answered.load(Ordering::Relaxed));
        let result = with_timeout(call).await;
        match &result {
            Err(StoreError::Unavailable(_)) if begun.elapsed() >= TRIP_AFTER => {
                let opens = answered == self.answered.load(Ordering::Relaxed);
                self.is_open.store(opens, Ordering::Relaxed);
            }
            _ => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                self.is_open.store(false, Ordering::Relaxed);
            }
        }
        result
    }
}

async fn with_timeout<T>(
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match timeout(STORE_TIMEOUT, call).await {
        Ok(result) => result,
        Err(elapsed) => Err(StoreError::unavailable(elapsed)),
    }
}

#[async_trait]
impl<S: RevocationLog> RevocationLog for GuardedStore<S> {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        self.writes.call(self.inner.append(entries)).await
    }

    /// Without a circuit breaker: the follower is the only caller.
    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        with_timeout(self.inner.read(after, limit)).await
    }

    /// Without a timeout: the caller also waits for other events.
    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        self.inner.changed(after).await
    }

    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        self.reads.call(self.inner.is_revoked(keys)).await
    }

    /// Without a circuit breaker: a large purge may be slow although the store is available.
    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        with_timeout(self.inner.purge_log(older_than, limit)).await
    }
}

/// The calls of [`SessionStore`]. Methods of their own need no allocation for a future.
impl<S: SessionStore + ?Sized> GuardedStore<S> {
    pub(crate) async fn insert(
        &self,
        session: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        self.writes.call(self.inner.insert(session, limit)).await
    }

    pub(crate) async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        self.reads.call(self.inner.load(id)).await
    }

    pub(crate) async fn advance(
        &self,
        request: &AdvanceRequest,
    ) -> Result<Option<Session>, StoreError> {
        self.writes.call(self.inner.advance(request)).await
    }

    pub(crate) async fn late_retry(
        &self,
        request: &LateRetryRequest,
    ) -> Result<Option<Session>, StoreError> {
        self.writes.call(self.inner.late_retry(request)).await
    }

    pub(crate) async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        self.writes.call(self.inner.end(selector, reason)).await
    }

    pub(crate) async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        self.writes.call(self.inner.end_batch(batch)).await
    }

    pub(crate) async fn list(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        limit: usize,
    ) -> Result<SessionPage, StoreError> {
        self.reads.call(self.inner.list(issuer, subject, after, limit)).await
    }

    pub(crate) async fn purge_sessions(
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

    /// A log whose writes never return, and whose queries return or hang.
    struct Hanging {
        queries_hang: AtomicBool,
        queries: AtomicUsize,
    }

    #[async_trait]
    impl RevocationLog for Hanging {
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
            self.queries.fetch_add(1, Ordering::SeqCst);
            if self.queries_hang.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            Ok(false)
        }

        async fn purge_log(&self, _: Duration, _: usize) -> Result<usize, StoreError> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_probes_a_store_that_hangs_and_the_others_fail_at_once() {
        let log = Hanging { queries_hang: AtomicBool::new(true), queries: AtomicUsize::new(0) };
        let store = Arc::new(GuardedStore::new(Arc::new(log)));
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
        assert_eq!(store.inner.queries.load(Ordering::SeqCst), 2);

        // The first probe that the store answers closes the circuit.
        store.inner.queries_hang.store(false, Ordering::SeqCst);
        assert!(!store.is_revoked(&[]).await.unwrap());
        let (one, other) = tokio::join!(store.is_revoked(&[]), store.is_revoked(&[]));
        assert!(one.is_ok() && other.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_while_other_calls_are_answered_does_not_open_the_circuit() {
        let log = Hanging { queries_hang: AtomicBool::new(true), queries: AtomicUsize::new(0) };
        let store = Arc::new(GuardedStore::new(Arc::new(log)));
        let timed_out = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.is_revoked(&[]).await }
        });
        tokio::task::yield_now().await;
        store.inner.queries_hang.store(false, Ordering::SeqCst);
        assert!(store.is_revoked(&[]).await.is_ok());
        assert!(timed_out.await.unwrap().is_err());
        let (one, other) = tokio::join!(store.is_revoked(&[]), store.is_revoked(&[]));
        assert!(one.is_ok() && other.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_accepts_no_writes_is_still_queried() {
        let log = Hanging { queries_hang: AtomicBool::new(false), queries: AtomicUsize::new(0) };
        let store = Arc::new(GuardedStore::new(Arc::new(log)));
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
    async fn a_slow_purge_does_not_open_the_circuit() {
        let log = Hanging { queries_hang: AtomicBool::new(false), queries: AtomicUsize::new(0) };
        let store = GuardedStore::new(Arc::new(log));
        assert!(store.purge_log(Duration::ZERO, 1).await.is_err());
        let (one, other) = tokio::join!(store.is_revoked(&[]), store.is_revoked(&[]));
        assert!(one.is_ok() && other.is_ok());
    }
}
