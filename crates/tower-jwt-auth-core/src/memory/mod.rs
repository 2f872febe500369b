mod log;
mod state;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::state::State;
use crate::change_signal::ChangeSignal;
use crate::clock::{Clock, SystemClock};
use crate::id::SessionId;
use crate::log::{Cursor, LogEntry, LogPage};
use crate::paging::{EndBatch, EndedBatch, SessionPage, SessionPosition};
use crate::revocation::{Revocation, RevocationKey};
use crate::rotation::{AdvanceRequest, LateRetryRequest};
use crate::session::{EndReason, Ended, Session};
use crate::session_limit::SessionLimit;
use crate::store::{RevocationLog, SessionSelector, SessionSnapshot, SessionStore, StoreError};

/// A store in the memory of one process, for a first start and for tests. Its sessions end with the process.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{MemoryStore, SessionId, SessionStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// assert!(store.load(SessionId::random()?).await?.is_none());
/// # Ok(())
/// # }
/// ```
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    log_changed: ChangeSignal,
}

/// The maximum number of sessions that end under one lock.
const MAX_BATCH: usize = 16;
/// The maximum number of log entries that are read under one lock.
const MAX_PAGE: usize = 1000;

impl MemoryStore {
    /// Creates an empty store that uses the system clock.
    pub fn new() -> Self {
        Self::with_clock(SystemClock::new())
    }

    /// Creates an empty store that uses this clock.
    pub fn with_clock(clock: impl Clock) -> Self {
        let (clock, state) = (Arc::new(clock), Mutex::new(State::new()));
        Self { clock, state, log_changed: ChangeSignal::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave the state half changed: no code that can panic runs between two related changes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the readers of the log if it has grown.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, has_grown) = {
            let mut state = self.state();
            let last = state.log.last();
            (change(&mut state), state.log.last() > last)
        };
        if has_grown {
            self.log_changed.notify();
        }
        result
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
        self.change(|state| {
            for entry in entries {
                state.log.append(entry.clone());
            }
        });
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
        let (entries, next, more) = log.after(after, limit.clamp(1, MAX_PAGE));
        Ok(LogPage::Entries { entries, next, more })
    }

    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        let after = after.map_or(Some(0), |cursor| self.state().log.position(cursor));
        let Some(after) = after else { return Ok(()) };
        loop {
            let version = self.log_changed.version();
            if self.state().log.last() > after {
                return Ok(());
            }
            self.log_changed.wait(version).await;
        }
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
        self.change(|state| {
            let now = self.clock.now();
            let record = new.record().clone();
            if state.session(record.id).is_some() {
                return Err(StoreError::Conflict);
            }
            let live = || {
                let sessions = state.live(&record.issuer, &record.subject, None, now);
                sessions.map(|(_, record)| record.id)
            };
            let surplus = limit.surplus(live().take(limit.max_counted()).count());
            if limit.rejects_new() && surplus > 0 {
                return Err(StoreError::Limit);
            }
            let oldest: Vec<_> = live().take(surplus.min(SessionLimit::MAX_ENDED)).collect();
            let revocations = state.end(oldest, Ended { at: now, reason: EndReason::Limit });
            state.insert(record);
            Ok(revocations)
        })
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        let now = self.clock.now();
        let record = self.state().session(id).cloned();
        Ok(record.map(|record| SessionSnapshot { session: Session::from_record(record), now }))
    }

    async fn advance(&self, request: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
        let mut state = self.state();
        // Read under the lock, so that the times in a record follow the order of the writes.
        let now = self.clock.now();
        let record = state.update(request.id, |record| record.advance(request, now));
        Ok(record.cloned().map(Session::from_record))
    }

    async fn late_retry(&self, request: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
        let mut state = self.state();
        let now = self.clock.now();
        let record = state.update(request.id, |record| record.retry_late(request, now));
        Ok(record.cloned().map(Session::from_record))
    }

    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        let revocations = self.change(|state| {
            let at = self.clock.now();
            let selected = state.select(selector);
            state.end(selected, Ended { at, reason })
        });
        Ok(revocations.into_iter().next())
    }

    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        let limit = batch.limit.clamp(1, MAX_BATCH);
        Ok(self.change(|state| {
            let ended = Ended { at: self.clock.now(), reason: batch.reason };
            let through = batch.through.unwrap_or_else(|| state.last_position());
            let (selected, next) = state.batch(batch, through, limit);
            EndedBatch { revocations: state.end(selected, ended), through, next }
        }))
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
        let sessions = page.into_iter().map(|(_, record)| Session::from_record(record.clone()));
        Ok(SessionPage { sessions: sessions.collect(), next })
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
