use std::collections::{BTreeSet, HashMap};

use super::log::Log;
use crate::{Ended, LogEntry, Revocation, SessionId, SessionParts, Timestamp, Which};

/// Under one lock, so that every call is one transaction.
pub(super) struct State {
    pub(super) sessions: HashMap<SessionId, SessionParts>,
    /// Issuer and subject, then the time of the start so that the oldest comes first.
    owners: HashMap<(String, String), BTreeSet<(Timestamp, SessionId)>>,
    /// When a session and its last access token are over.
    over: BTreeSet<(Timestamp, SessionId)>,
    pub(super) log: Log,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            sessions: HashMap::new(),
            owners: HashMap::new(),
            over: BTreeSet::new(),
            log: Log::new(),
        }
    }

    /// Adds a row under a name that is free.
    pub(super) fn insert(&mut self, row: SessionParts) {
        let owner = (row.issuer.clone(), row.subject.clone());
        self.owners.entry(owner).or_default().insert((row.created_at, row.id));
        self.over.insert((over_at(&row), row.id));
        self.sessions.insert(row.id, row);
    }

    /// Removes at most `limit` rows that were over before this; tells how many.
    pub(super) fn purge(&mut self, before: Timestamp, limit: usize) -> usize {
        let over = self.over.iter().take_while(|(over, _)| *over < before);
        let over: Vec<_> = over.map(|(_, id)| *id).take(limit).collect();
        for id in &over {
            self.remove(*id);
        }
        over.len()
    }

    /// Changes a row and keeps the index of endings in step; nothing happens where `change` says no.
    pub(super) fn update(
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

    pub(super) fn chosen(&self, which: &Which<'_>) -> Vec<SessionId> {
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
    pub(super) fn live_beside(&self, new: &SessionParts, now: Timestamp) -> Vec<SessionId> {
        let mut ids = self.chosen(&Which::All { issuer: &new.issuer, subject: &new.subject });
        ids.retain(|id| self.sessions.get(id).is_some_and(|row| row.is_live(now)));
        ids
    }

    /// Ends those of these sessions that have not been ended, and appends their entries to the log.
    pub(super) fn end(&mut self, ids: Vec<SessionId>, ended: Ended) -> Vec<Revocation> {
        let mut revocations = Vec::new();
        for id in ids {
            let row = self.update(id, |row| {
                let is_first = row.ended.is_none();
                row.ended = row.ended.or(Some(ended));
                is_first
            });
            let Some(row) = row else { continue };
            let revocation = row.revocation();
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
    let over = row.ended.map_or(Timestamp::MAX, |ended| ended.at).min(row.valid_until());
    over.max(row.access_until)
}
