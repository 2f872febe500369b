use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};

use super::log::Log;
use crate::{
    EndBatch, Ended, LogEntry, Revocation, SessionId, SessionPosition, SessionRecord,
    SessionSelector, Timestamp,
};

/// Under one lock, so that every call is one transaction.
pub(super) struct State {
    sessions: HashMap<SessionId, Row>,
    /// Issuer and subject, then the numbers of their rows that have not been ended: what was added first comes
    /// first.
    owners: HashMap<(String, String), BTreeMap<u64, SessionId>>,
    /// When a session and its last access token are over.
    over: BTreeSet<(Timestamp, SessionId)>,
    pub(super) log: Log,
    /// How many rows have been added.
    added: u64,
}

struct Row {
    number: u64,
    parts: SessionRecord,
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

    pub(super) fn session(&self, id: SessionId) -> Option<&SessionRecord> {
        self.sessions.get(&id).map(|row| &row.parts)
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Adds a row under a name that is free.
    pub(super) fn insert(&mut self, parts: SessionRecord) {
        self.added += 1;
        let (id, number) = (parts.id, self.added);
        let owner = (parts.issuer.clone(), parts.subject.clone());
        if parts.ended.is_none() {
            self.owners.entry(owner).or_default().insert(number, id);
        }
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
        change: impl FnOnce(&mut SessionRecord) -> bool,
    ) -> Option<&SessionRecord> {
        let row = &mut self.sessions.get_mut(&id)?.parts;
        let before = over_at(row);
        if !change(row) {
            return None;
        }
        self.over.remove(&(before, id));
        self.over.insert((over_at(row), id));
        Some(row)
    }

    pub(super) fn chosen(&self, selector: &SessionSelector<'_>) -> Option<SessionId> {
        let is_meant = |row: &&SessionRecord| match selector {
            SessionSelector::ById { .. } => true,
            SessionSelector::ByToken { secret_hash, .. } => row.secret_hash == *secret_hash,
            SessionSelector::Owned { issuer, subject, .. } => {
                row.issuer == *issuer && row.subject == *subject
            }
        };
        let (SessionSelector::ById { id }
        | SessionSelector::ByToken { id, .. }
        | SessionSelector::Owned { id, .. }) = selector;
        self.session(*id).filter(is_meant).map(|row| row.id)
    }

    /// The subject's sessions after a position that have not been ended.
    fn owned(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
    ) -> impl Iterator<Item = (SessionPosition, &SessionRecord)> {
        let owner = (issuer.to_owned(), subject.to_owned());
        let after = after.map_or(Unbounded, |after| Excluded(after.number()));
        let ids =
            self.owners.get(&owner).into_iter().flat_map(move |ids| ids.range((after, Unbounded)));
        ids.filter_map(|(number, id)| Some((SessionPosition::new(*number), self.session(*id)?)))
    }

    /// The position of the session that was added last.
    pub(super) fn last_position(&self) -> SessionPosition {
        SessionPosition::new(self.added)
    }

    /// The sessions of a batch, and where the next one begins.
    pub(super) fn next_of(
        &self,
        batch: &EndBatch<'_>,
        through: SessionPosition,
        limit: usize,
    ) -> (Vec<SessionId>, Option<SessionPosition>) {
        let mut rows = self
            .owned(batch.issuer, batch.subject, batch.after)
            .take_while(|(position, _)| *position <= through)
            .filter(|(_, row)| Some(row.id) != batch.keep);
        let chosen: Vec<_> = rows.by_ref().take(limit).collect();
        let last = chosen.last().map(|(position, _)| *position);
        let next = last.filter(|_| rows.next().is_some());
        (chosen.into_iter().map(|(_, row)| row.id).collect(), next)
    }

    /// The live sessions of a subject after a position, the oldest first.
    pub(super) fn live(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        now: Timestamp,
    ) -> impl Iterator<Item = (SessionPosition, &SessionRecord)> {
        self.owned(issuer, subject, after).filter(move |(_, row)| row.is_live(now))
    }

    /// Ends those of these sessions that have not been ended, and appends their entries to the log.
    pub(super) fn end(
        &mut self,
        ids: impl IntoIterator<Item = SessionId>,
        ended: Ended,
    ) -> Vec<Revocation> {
        let mut revocations = Vec::new();
        for id in ids {
            let row = self.update(id, |row| {
                let is_first = row.ended.is_none();
                row.ended = row.ended.or(Some(ended));
                is_first
            });
            let Some(row) = row else { continue };
            let revocation = row.revocation();
            self.disown(id);
            self.log.append(LogEntry::Revocation(revocation.clone()));
            revocations.push(revocation);
        }
        revocations
    }

    fn remove(&mut self, id: SessionId) {
        self.disown(id);
        if let Some(Row { parts, .. }) = self.sessions.remove(&id) {
            self.over.remove(&(over_at(&parts), id));
        }
    }

    /// Takes a session out of those of its owner.
    fn disown(&mut self, id: SessionId) {
        let Some(Row { number, parts }) = self.sessions.get(&id) else { return };
        let owner = (parts.issuer.clone(), parts.subject.clone());
        if let Some(ids) = self.owners.get_mut(&owner) {
            ids.remove(number);
            if ids.is_empty() {
                self.owners.remove(&owner);
            }
        }
    }
}

/// When the session and everything made for it were over.
fn over_at(row: &SessionRecord) -> Timestamp {
    let over = row.ended.map_or(Timestamp::MAX, |ended| ended.at).min(row.valid_until());
    over.max(row.access_until)
}
