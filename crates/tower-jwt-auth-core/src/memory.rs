mod log;
mod state;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use self::state::State;

use crate::{
    AdvanceRequest, Clock, Cursor, EndBatch, EndReason, Ended, EndedBatch, LateRetryRequest,
    LogEntry, LogPage, Revocation, RevocationKey, RevocationLog, Session, SessionId, SessionLimit,
    SessionPage, SessionPosition, SessionSelector, SessionSnapshot, SessionStore, StoreError,
    SystemClock,
};

/// A store in the memory of one process: the default to start with, and gone when the process ends.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{MemoryStore, SessionId, SessionStore};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// assert!(store.load(SessionId::random()?).await?.is_none());
/// # Ok(())
/// # }
/// ```
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// The number of the last log entry, for those who wait for one.
    written: watch::Sender<u64>,
}

/// How many sessions end under one lock.
const MAX_BATCH: usize = 16;

impl MemoryStore {
    /// An empty store on the system's clock.
    pub fn new() -> Self {
        Self::with_clock(SystemClock::new())
    }

    /// An empty store on this clock.
    pub fn with_clock(clock: impl Clock) -> Self {
        let clock = Arc::new(clock);
        Self { clock, state: Mutex::new(State::new()), written: watch::Sender::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, last: u64) {
        self.written.send_if_modified(|seen| {
            let grown = *seen < last;
            *seen = last.max(*seen);
            grown
        });
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl RevocationLog for MemoryStore {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        let last = {
            let mut state = self.state();
            for entry in entries {
                state.log.append(entry.clone());
            }
            state.log.last()
        };
        self.announce(last);
        Ok(())
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        let state = self.state();
        let log = &state.log;
        let after = match after {
            None => 0,
            Some(cursor) => match log.position(cursor) {
                Some(number) => number,
                None => return Ok(LogPage::CursorLost),
            },
        };
        let (entries, next, more) = log.after(after, limit.max(1));
        Ok(LogPage::Entries { entries, next, more })
    }

    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        let mut written = self.written.subscribe();
        let after = after.map_or(Some(0), |cursor| self.state().log.position(cursor));
        if let Some(after) = after {
            // The sender lives as long as this store, so there is nothing to fail.
            let _ = written.wait_for(|last| *last > after).await;
        }
        Ok(())
    }

    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        let state = self.state();
        Ok(keys.iter().any(|key| state.log.covers(key)))
    }

    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        let before = self.clock.now() - older_than;
        Ok(self.state().log.purge(before, limit))
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        let (revocations, last) = {
            let mut state = self.state();
            let now = self.clock.now();
            let row = new.record().clone();
            if state.session(row.id).is_some() {
                return Err(StoreError::Conflict);
            }
            let live = || state.live(&row.issuer, &row.subject, None, now).map(|(_, row)| row.id);
            let surplus = limit.surplus(live().take(limit.max_counted()).count());
            if limit.rejects_new() && surplus > 0 {
                return Err(StoreError::Limit);
            }
            let oldest: Vec<_> = live().take(surplus.min(SessionLimit::MAX_ENDED)).collect();
            let revocations = state.end(oldest, Ended { at: now, reason: EndReason::Limit });
            state.insert(row);
            (revocations, state.log.last())
        };
        self.announce(last);
        Ok(revocations)
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        let now = self.clock.now();
        let row = self.state().session(id).cloned();
        Ok(row.map(|row| SessionSnapshot { session: Session::from_record(row), now }))
    }

    async fn advance(&self, step: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
        let mut state = self.state();
        // Read under the lock: times in the row then follow the order of the writes.
        let now = self.clock.now();
        let row = state.update(step.id, |row| row.advance(step, now));
        Ok(row.cloned().map(Session::from_record))
    }

    async fn late_retry(&self, retry: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
        let mut state = self.state();
        let now = self.clock.now();
        let row = state.update(retry.id, |row| row.retry_late(retry, now));
        Ok(row.cloned().map(Session::from_record))
    }

    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        let (revocations, last) = {
            let mut state = self.state();
            let at = self.clock.now();
            let chosen = state.chosen(selector);
            (state.end(chosen, Ended { at, reason }), state.log.last())
        };
        self.announce(last);
        Ok(revocations.into_iter().next())
    }

    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        let limit = batch.limit.clamp(1, MAX_BATCH);
        let (ended, last) = {
            let mut state = self.state();
            let ended = Ended { at: self.clock.now(), reason: batch.reason };
            let through = batch.through.unwrap_or_else(|| state.last_position());
            let (chosen, next) = state.next_of(batch, through, limit);
            let revocations = state.end(chosen, ended);
            (EndedBatch { revocations, through, next }, state.log.last())
        };
        self.announce(last);
        Ok(ended)
    }

    async fn list(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        limit: usize,
    ) -> Result<SessionPage, StoreError> {
        let state = self.state();
        let mut live = state.live(issuer, subject, after, self.clock.now());
        let page: Vec<_> = live.by_ref().take(limit.max(1)).collect();
        let last = page.last().map(|(position, _)| *position);
        let next = last.filter(|_| live.next().is_some());
        let sessions = page.into_iter().map(|(_, row)| Session::from_record(row.clone())).collect();
        Ok(SessionPage { sessions, next })
    }

    async fn purge_sessions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let before = self.clock.now() - older_than;
        Ok(self.state().purge(before, limit))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("sessions", &self.state().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::store_conformance!(async { MemoryStore::new() });
}
