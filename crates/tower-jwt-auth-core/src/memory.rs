use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    Advance, Clock, Cursor, EndReason, Ended, LateRetry, Loaded, LogEntry, LogPage, Revocation,
    RevocationKey, RevocationLog, Session, SessionId, SessionLimit, SessionParts, SessionStore,
    StoreError, SystemClock, Timestamp, Which,
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

/// Under one lock, so that every call is one transaction.
struct State {
    sessions: HashMap<SessionId, SessionParts>,
    /// Issuer and subject, then the time of the start so that the oldest comes first.
    owners: HashMap<(String, String), BTreeSet<(Timestamp, SessionId)>>,
    /// When a session and its last access token are over.
    over: BTreeSet<(Timestamp, SessionId)>,
    log: Log,
}

/// The log and two ways into it.
struct Log {
    incarnation: u64,
    entries: BTreeMap<u64, LogEntry>,
    until: BTreeSet<(Timestamp, u64)>,
    names: HashMap<Name, BTreeSet<u64>>,
    last: u64,
}

/// What a revocation names: its kind, issuer and name.
type Name = (std::mem::Discriminant<Revocation>, String, String);

/// Tells the logs of one process apart; a cursor never leaves it.
static INCARNATIONS: AtomicU64 = AtomicU64::new(0);

impl MemoryStore {
    /// An empty store on the system's clock.
    pub fn new() -> Self {
        Self::with_clock(SystemClock::new())
    }

    /// An empty store on this clock.
    pub fn with_clock(clock: impl Clock) -> Self {
        let clock = Arc::new(clock);
        let log = Log {
            incarnation: INCARNATIONS.fetch_add(1, Ordering::Relaxed),
            entries: BTreeMap::new(),
            until: BTreeSet::new(),
            names: HashMap::new(),
            last: 0,
        };
        let state =
            State { sessions: HashMap::new(), owners: HashMap::new(), over: BTreeSet::new(), log };
        Self { clock, state: Mutex::new(state), written: watch::Sender::new(0) }
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

impl Log {
    fn append(&mut self, entry: LogEntry) {
        self.last += 1;
        self.until.insert((entry.until(), self.last));
        if let LogEntry::Revocation(revocation) = &entry {
            self.names.entry(name_of(revocation)).or_default().insert(self.last);
        }
        self.entries.insert(self.last, entry);
    }

    fn remove(&mut self, number: u64) {
        if let Some(LogEntry::Revocation(revocation)) = self.entries.remove(&number) {
            let name = name_of(&revocation);
            if let Some(numbers) = self.names.get_mut(&name) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.names.remove(&name);
                }
            }
        }
    }

    fn covers(&self, key: &RevocationKey<'_>) -> bool {
        let numbers = self.names.get(&name_asked(key)).into_iter().flatten();
        numbers.filter_map(|number| self.entries.get(number)).any(|entry| match entry {
            LogEntry::Revocation(revocation) => revocation.covers(key),
            LogEntry::Heartbeat(_) => false,
        })
    }

    fn cursor(&self, number: u64) -> Cursor {
        Cursor::new([self.incarnation.to_be_bytes(), number.to_be_bytes()].concat())
    }

    /// The entry number that the cursor points at, if it is one of this log.
    fn position(&self, cursor: &Cursor) -> Option<u64> {
        let number = cursor.as_bytes().strip_prefix(&self.incarnation.to_be_bytes())?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        (number <= self.last).then_some(number)
    }
}

fn name_of(revocation: &Revocation) -> Name {
    let (issuer, name) = match revocation {
        Revocation::Token { issuer, jti, .. } => (issuer, jti),
        Revocation::Session { issuer, sid, .. } => (issuer, sid),
        Revocation::Subject { issuer, sub, .. } => (issuer, sub),
    };
    (std::mem::discriminant(revocation), issuer.clone(), name.clone())
}

/// The name under which a revocation of this key would be kept.
fn name_asked(key: &RevocationKey<'_>) -> Name {
    let until = Timestamp::MAX;
    name_of(&match *key {
        RevocationKey::Token { issuer, jti } => {
            Revocation::Token { issuer: issuer.into(), jti: jti.into(), until }
        }
        RevocationKey::Session { issuer, sid } => {
            Revocation::Session { issuer: issuer.into(), sid: sid.into(), until }
        }
        RevocationKey::Subject { issuer, sub, issued_at } => Revocation::Subject {
            issuer: issuer.into(),
            sub: sub.into(),
            issued_before: issued_at,
            until,
        },
    })
}

impl State {
    /// Changes a row and keeps the index of endings in step; nothing happens where `change` says no.
    fn update(
        &mut self,
        id: SessionId,
        change: impl FnOnce(&mut SessionParts) -> bool,
    ) -> Option<&SessionParts> {
        let row = self.sessions.get_mut(&id)?;
        let before = over_at(row);
        if !change(row) {
            return None;
        }
        self.over.remove(&(before, id));
        self.over.insert((over_at(row), id));
        Some(row)
    }

    fn chosen(&self, which: &Which<'_>) -> Vec<SessionId> {
        let owned = |issuer: &str, subject: &str| {
            let owner = (issuer.to_owned(), subject.to_owned());
            self.owners.get(&owner).into_iter().flatten().map(|(_, id)| *id)
        };
        match which {
            Which::One { id } => vec![*id],
            Which::Presented { id, secret_hash } => {
                let is_its_own = |row: &&SessionParts| row.secret_hash == *secret_hash;
                self.sessions.get(id).filter(is_its_own).map(|row| row.id).into_iter().collect()
            }
            Which::Owned { issuer, subject, id } => {
                owned(issuer, subject).filter(|other| other == id).collect()
            }
            Which::All { issuer, subject } => owned(issuer, subject).collect(),
            Which::Others { issuer, subject, keep } => {
                owned(issuer, subject).filter(|other| other != keep).collect()
            }
        }
    }

    /// The live sessions of the new one's subject, the oldest first.
    fn live_beside(&self, new: &SessionParts, now: Timestamp) -> Vec<SessionId> {
        let mut ids = self.chosen(&Which::All { issuer: &new.issuer, subject: &new.subject });
        ids.retain(|id| self.sessions.get(id).is_some_and(|row| row.is_live(now)));
        ids
    }

    /// Ends those of these sessions that have not been ended, and appends their entries to the log.
    fn end(&mut self, ids: Vec<SessionId>, ended: Ended) -> Vec<Revocation> {
        let mut revocations = Vec::new();
        for id in ids {
            let row = self.update(id, |row| {
                let is_first = row.ended.is_none();
                row.ended = row.ended.or(Some(ended));
                is_first
            });
            let Some(row) = row else { continue };
            let revocation = Revocation::Session {
                issuer: row.issuer.clone(),
                sid: id.to_string(),
                until: row.access_until,
            };
            self.log.append(LogEntry::Revocation(revocation.clone()));
            revocations.push(revocation);
        }
        revocations
    }

    fn remove(&mut self, id: SessionId) {
        let Some(row) = self.sessions.remove(&id) else { return };
        self.over.remove(&(over_at(&row), id));
        let owner = (row.issuer, row.subject);
        if let Some(ids) = self.owners.get_mut(&owner) {
            ids.remove(&(row.created_at, id));
            if ids.is_empty() {
                self.owners.remove(&owner);
            }
        }
    }
}

/// When the session and everything made for it were over.
fn over_at(row: &SessionParts) -> Timestamp {
    let over = row.idle_until.min(row.expires_at);
    let over = row.ended.map_or(over, |ended| over.min(ended.at));
    over.max(row.access_until)
}

#[async_trait]
impl RevocationLog for MemoryStore {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        let last = {
            let mut state = self.state();
            for entry in entries {
                state.log.append(entry.clone());
            }
            state.log.last
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
        let limit = limit.max(1);
        let mut found = log.entries.range(after + 1..);
        let mut entries = Vec::new();
        let mut next = log.last;
        for (number, entry) in found.by_ref() {
            entries.push(entry.clone());
            if entries.len() == limit {
                next = *number;
                break;
            }
        }
        let more = found.next().is_some();
        Ok(LogPage::Entries { entries, next: log.cursor(next), more })
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
        let log = &mut self.state().log;
        let mut removed = 0;
        while removed < limit {
            match log.until.first().copied() {
                Some((until, number)) if until < before => {
                    log.until.pop_first();
                    log.remove(number);
                    removed += 1;
                }
                _ => break,
            }
        }
        Ok(removed)
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
            let row = new.parts().clone();
            if state.sessions.contains_key(&row.id) {
                return Err(StoreError::Conflict);
            }
            let mut oldest = state.live_beside(&row, now);
            let surplus = limit.most().map_or(0, |most| (oldest.len() + 1).saturating_sub(most));
            if limit.refuses() && surplus > 0 {
                return Err(StoreError::Limit);
            }
            oldest.truncate(surplus);
            let revocations = state.end(oldest, Ended { at: now, reason: EndReason::Limit });
            let owner = (row.issuer.clone(), row.subject.clone());
            state.owners.entry(owner).or_default().insert((row.created_at, row.id));
            state.over.insert((over_at(&row), row.id));
            state.sessions.insert(row.id, row);
            (revocations, state.log.last)
        };
        self.announce(last);
        Ok(revocations)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let now = self.clock.now();
        let row = self.state().sessions.get(&id).cloned();
        Ok(row.map(|row| Loaded { session: Session::from_parts(row), now }))
    }

    async fn advance(&self, step: &Advance) -> Result<Option<Session>, StoreError> {
        let mut state = self.state();
        // Read under the lock: times in the row then follow the order of the writes.
        let now = self.clock.now();
        let row = state.update(step.id, |row| {
            let current =
                row.generation == step.from_generation && row.secret_hash == step.secret_hash;
            let (true, true, Some(next)) =
                (current, row.is_live(now), row.generation.checked_add(1))
            else {
                return false;
            };
            row.generation = next;
            row.rotated_at = now;
            row.idle_until = (now + step.idle).min(row.expires_at);
            row.access_until = row.access_until.max(step.access_until);
            true
        });
        Ok(row.cloned().map(Session::from_parts))
    }

    async fn late_retry(&self, retry: &LateRetry) -> Result<Option<Session>, StoreError> {
        let mut state = self.state();
        let now = self.clock.now();
        let row = state.update(retry.id, |row| {
            let one_behind = retry.generation.checked_add(1) == Some(row.generation)
                && row.secret_hash == retry.secret_hash;
            let twice_running = row
                .late_retry
                .is_some_and(|granted| granted.checked_add(1) == Some(retry.generation));
            if !one_behind || twice_running || !row.is_live(now) {
                return false;
            }
            row.late_retry = Some(retry.generation);
            row.access_until = row.access_until.max(retry.access_until);
            true
        });
        Ok(row.cloned().map(Session::from_parts))
    }

    async fn end(
        &self,
        which: &Which<'_>,
        reason: EndReason,
    ) -> Result<Vec<Revocation>, StoreError> {
        let (revocations, last) = {
            let mut state = self.state();
            let at = self.clock.now();
            let chosen = state.chosen(which);
            (state.end(chosen, Ended { at, reason }), state.log.last)
        };
        self.announce(last);
        Ok(revocations)
    }

    async fn list(&self, issuer: &str, subject: &str) -> Result<Vec<Session>, StoreError> {
        let state = self.state();
        let now = self.clock.now();
        let ids = state.chosen(&Which::All { issuer, subject });
        let live = ids.iter().filter_map(|id| state.sessions.get(id));
        Ok(live.filter(|row| row.is_live(now)).cloned().map(Session::from_parts).collect())
    }

    async fn purge_sessions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let before = self.clock.now() - older_than;
        let mut state = self.state();
        let over = state.over.iter().take_while(|(over, _)| *over < before);
        let over: Vec<_> = over.map(|(_, id)| *id).take(limit).collect();
        for id in &over {
            state.remove(*id);
        }
        Ok(over.len())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("sessions", &self.state().sessions.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::store_conformance!(async { MemoryStore::new() });
}
