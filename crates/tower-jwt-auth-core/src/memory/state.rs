use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::log::Log;
use crate::{Ended, LogEntry, Revocation, SessionId, SessionParts, Timestamp, Which};

/// Under one lock, so that every call is one transaction.
pub(super) struct State {
    sessions: HashMap<SessionId, Row>,
    /// Issuer and subject, then the numbers of their rows: what was added first comes first.
    owners: HashMap<(String, String), BTreeMap<u64, SessionId>>,
    /// When a session and its last access token are over.
    over: BTreeSet<(Timestamp, SessionId)>,
    pub(super) log: Log,
    /// How many rows have been added.
    added: u64,
}

struct Row {
    number: u64,
    parts: SessionParts,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            sessions: HashMap::new(),
            owners: HashMap::new(),
            over: BTreeSet::new(),
            log: Log::new(),
            added: 0,
        }
    }

    pub(super) fn session(&self, id: SessionId) -> Option<&SessionParts> {
        self.sessions.get(&id).map(|row| &row.parts)
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Adds a row under a name that is free.
    pub(super) fn insert(&mut self, parts: SessionParts) {
        let (id, number) = (parts.id, self.added);
        self.added += 1;
        let owner = (parts.issuer.clone(), parts.subject.clone());
        self.owners.entry(owner).or_default().insert(number, id);
        self.over.insert((over_at(&parts), id));
        self.sessions.insert(id, Row { number, parts });
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
        let row = &mut self.sessions.get_mut(&id)?.parts;
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
            self.owners.get(&owner).into_iter().flat_map(BTreeMap::values).copied()
        };
        match which {
            Which::One { id } => vec![*id],
            Which::Presented { id, secret_hash } => {
                let is_its_own = |row: &&SessionParts| row.secret_hash == *secret_hash;
                self.session(*id).filter(is_its_own).map(|row| row.id).into_iter().collect()
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

    /// The live sessions of a subject, the oldest first.
    pub(super) fn live(
        &self,
        issuer: &str,
        subject: &str,
        now: Timestamp,
    ) -> impl Iterator<Item = &SessionParts> {
        let ids = self.chosen(&Which::All { issuer, subject });
        let rows = ids.into_iter().filter_map(|id| self.session(id));
        rows.filter(move |row| row.is_live(now))
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
        let Some(Row { number, parts }) = self.sessions.remove(&id) else { return };
        self.over.remove(&(over_at(&parts), id));
        let owner = (parts.issuer, parts.subject);
        if let Some(ids) = self.owners.get_mut(&owner) {
            ids.remove(&number);
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
