use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tower_jwt_auth_core::{
    AdvanceRequest, Cursor, EndBatch, EndReason, EndedBatch, LateRetryRequest, LogEntry, LogPage,
    Revocation, RevocationKey, RevocationLog, Session, SessionId, SessionLimit, SessionPage,
    SessionPosition, SessionSelector, SessionSnapshot, SessionStore, StoreError,
};

/// A failure of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call never reaches the store.
    Before,
    /// The store carries it out, and the response is lost.
    After,
    /// The store never responds.
    Hang,
    /// The store carries it out after this time.
    Slow(Duration),
}

/// A store that fails on demand and counts the calls about sessions.
#[derive(Clone)]
pub struct FaultyStore {
    inner: Arc<dyn SessionStore>,
    faults: Arc<Mutex<Faults>>,
    session_calls: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Faults {
    planned: Vec<Planned>,
    /// The calls that a one-shot fault has hit.
    hits: Vec<(&'static str, Fault)>,
}

struct Planned {
    method: &'static str,
    fault: Fault,
    /// Whether the fault applies to one call only.
    once: bool,
}

impl FaultyStore {
    pub fn new(inner: impl SessionStore) -> Self {
        Self { inner: Arc::new(inner), faults: Arc::default(), session_calls: Arc::default() }
    }

    /// Makes every call of this method fail from now on; `"*"` stands for all methods.
    pub fn fail(&self, method: &'static str, fault: Fault) {
        self.faults().planned.push(Planned { method, fault, once: false });
    }

    /// Makes the next call of this method fail, and no other.
    pub fn fail_once(&self, method: &'static str, fault: Fault) {
        self.faults().planned.push(Planned { method, fault, once: true });
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.faults().planned.clear();
    }

    /// Returns the calls that one-shot faults have hit since the last call of this method.
    pub fn take_hits(&self) -> Vec<(&'static str, Fault)> {
        std::mem::take(&mut self.faults().hits)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many calls about sessions there have been. Calls of the revocation log do not count.
    pub fn session_calls(&self) -> usize {
        self.session_calls.load(Ordering::SeqCst)
    }

    fn fault(&self, method: &'static str) -> Option<Fault> {
        let mut faults = self.faults();
        let concerns = |planned: &Planned| planned.method == "*" || planned.method == method;
        let at = faults.planned.iter().position(concerns)?;
        let Planned { fault, once, .. } = faults.planned[at];
        if once {
            faults.planned.remove(at);
            faults.hits.push((method, fault));
        }
        Some(fault)
    }

    async fn run<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let lost = || StoreError::unavailable(format!("{method} was made to fail"));
        match self.fault(method) {
            None => call.await,
            Some(Fault::Before) => Err(lost()),
            Some(Fault::After) => {
                call.await?;
                Err(lost())
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                call.await
            }
        }
    }

    async fn count<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.session_calls.fetch_add(1, Ordering::SeqCst);
        self.run(method, call).await
    }
}

#[async_trait]
impl RevocationLog for FaultyStore {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        self.run("append", self.inner.append(entries)).await
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        self.run("read", self.inner.read(after, limit)).await
    }

    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        self.run("changed", self.inner.changed(after)).await
    }

    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        self.run("is_revoked", self.inner.is_revoked(keys)).await
    }

    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        self.run("purge_log", self.inner.purge_log(older_than, limit)).await
    }
}

#[async_trait]
impl SessionStore for FaultyStore {
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        self.count("insert", self.inner.insert(new, limit)).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        self.count("load", self.inner.load(id)).await
    }

    async fn advance(&self, step: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
        self.count("advance", self.inner.advance(step)).await
    }

    async fn late_retry(&self, retry: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
        self.count("late_retry", self.inner.late_retry(retry)).await
    }

    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        self.count("end", self.inner.end(selector, reason)).await
    }

    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        self.count("end", self.inner.end_batch(batch)).await
    }

    async fn list(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        limit: usize,
    ) -> Result<SessionPage, StoreError> {
        self.count("list", self.inner.list(issuer, subject, after, limit)).await
    }

    async fn purge_sessions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.run("purge_sessions", self.inner.purge_sessions(older_than, limit)).await
    }
}
