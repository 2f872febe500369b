use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};

use super::log::Log;
use crate::id::SessionId;
use crate::log::LogEntry;
use crate::paging::{EndBatch, SessionPosition};
use crate::revocation::Revocation;
use crate::session::{Ended, SessionRecord};
use crate::store::SessionSelector;
use crate::time::Timestamp;

/// The content of the store. One lock guards it, so that each call is a transaction.
pub(super) struct State {
    sessions: HashMap<SessionId, Row>,
    /// The sessions that have not been ended, by issuer and subject and in the order in which they were added.
    by_owner: HashMap<(String, String), BTreeMap<u64, SessionId>>,
    /// The sessions by the time from which they may be purged.
    by_purgeable_from: BTreeSet<(Timestamp, SessionId)>,
    pub(super) log: Log,
    /// The number of sessions that have been added so far.
    added: u64,
}

struct Row {
    number: u64,
    record: SessionRecord,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            sessions: HashMap::new(),
            by_owner: HashMap::new(),
            by_purgeable_from: BTreeSet::new(),
            log: Log::new(),
            added: 0,
        }
    }

    pub(super) fn session(&self, id: SessionId) -> Option<&SessionRecord> {
        self.sessions.get(&id).map(|row| &row.record)
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Adds a session. Its ID must be free.
    pub(super) fn insert(&mut self, record: SessionRecord) {
        self.added += 1;
        let (id, number) = (record.id, self.added);
        let owner = (record.issuer.clone(), record.subject.clone());
        if record.ended.is_none() {
            self.by_owner.entry(owner).or_default().insert(number, id);
        }
        self.by_purgeable_from.insert((purgeable_from(&record), id));
        self.sessions.insert(id, Row { number, record });
    }

    /// Removes at most `limit` sessions that have been purgeable since before a time. Returns how many it removed.
    pub(super) fn purge(&mut self, before: Timestamp, limit: usize) -> usize {
        let purgeable = self.by_purgeable_from.iter().take_while(|(from, _)| *from < before);
        let purgeable: Vec<_> = purgeable.map(|(_, id)| *id).take(limit).collect();
        for id in &purgeable {
            self.remove(*id);
        }
        purgeable.len()
    }

    /// Changes a record and its place in the index. If `change` returns false, the record must be unchanged.
    pub(super) fn update(
        &mut self,
        id: SessionId,
        change: impl FnOnce(&mut SessionRecord) -> bool,
    ) -> Option<&SessionRecord> {
        let record = &mut self.sessions.get_mut(&id)?.record;
        let before = purgeable_from(record);
        if !change(record) {
            return None;
        }
        self.by_purgeable_from.remove(&(before, id));
        self.by_purgeable_from.insert((purgeable_from(record), id));
        Some(record)
    }

    pub(super) fn select(&self, selector: &SessionSelector<'_>) -> Option<SessionId> {
        let is_selected = |record: &&SessionRecord| match selector {
            SessionSelector::ById { .. } => true,
            SessionSelector::ByToken { secret_hash, .. } => record.secret_hash == *secret_hash,
            SessionSelector::Owned { issuer, subject, .. } => {
                record.issuer == *issuer && record.subject == *subject
            }
        };
        let (SessionSelector::ById { id }
        | SessionSelector::ByToken { id, .. }
        | SessionSelector::Owned { id, .. }) = selector;
        self.session(*id).filter(is_selected).map(|record| record.id)
    }

    /// Returns the subject's sessions after a position that have not been ended.
    fn owned(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
    ) -> impl Iterator<Item = (SessionPosition, &SessionRecord)> {
        let owner = (issuer.to_owned(), subject.to_owned());
        let after = after.map_or(Unbounded, |after| Excluded(after.number()));
        let ids = self.by_owner.get(&owner).into_iter();
        let ids = ids.flat_map(move |ids| ids.range((after, Unbounded)));
        ids.filter_map(|(number, id)| Some((SessionPosition::new(*number), self.session(*id)?)))
    }

    /// Returns the position of the session that was added last.
    pub(super) fn last_position(&self) -> SessionPosition {
        SessionPosition::new(self.added)
    }

    /// Returns the sessions of a batch, and the position after which the next batch begins.
    pub(super) fn batch(
        &self,
        batch: &EndBatch<'_>,
        through: SessionPosition,
        limit: usize,
    ) -> (Vec<SessionId>, Option<SessionPosition>) {
        let mut sessions = self
            .owned(batch.issuer, batch.subject, batch.after)
            .take_while(|(position, _)| *position <= through)
            .filter(|(_, record)| Some(record.id) != batch.keep);
        let selected: Vec<_> = sessions.by_ref().take(limit).collect();
        let last = selected.last().map(|(position, _)| *position);
        let next = last.filter(|_| sessions.next().is_some());
        (selected.into_iter().map(|(_, record)| record.id).collect(), next)
    }

    /// Returns the live sessions of a subject after a position, the oldest first.
    pub(super) fn live(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        now: Timestamp,
    ) -> impl Iterator<Item = (SessionPosition, &SessionRecord)> {
        self.owned(issuer, subject, after).filter(move |(_, record)| record.is_live(now))
    }

    /// Ends those of the sessions that have not been ended, and appends their entries to the log.
    pub(super) fn end(
        &mut self,
        ids: impl IntoIterator<Item = SessionId>,
        ended: Ended,
    ) -> Vec<Revocation> {
        let mut revocations = Vec::new();
        for id in ids {
            let record = self.update(id, |record| {
                let is_first = record.ended.is_none();
                record.ended = record.ended.or(Some(ended));
                is_first
            });
            let Some(record) = record else { continue };
            let revocation = record.revocation();
            self.remove_from_owner(id);
            self.log.append(LogEntry::Revocation(revocation.clone()));
            revocations.push(revocation);
        }
        revocations
    }

    fn remove(&mut self, id: SessionId) {
        self.remove_from_owner(id);
        if let Some(Row { record, .. }) = self.sessions.remove(&id) {
            self.by_purgeable_from.remove(&(purgeable_from(&record), id));
        }
    }

    fn remove_from_owner(&mut self, id: SessionId) {
        let Some(Row { number, record }) = self.sessions.get(&id) else { return };
        let owner = (record.issuer.clone(), record.subject.clone());
        if let Some(ids) = self.by_owner.get_mut(&owner) {
            ids.remove(number);
            if ids.is_empty() {
                self.by_owner.remove(&owner);
            }
        }
    }
}

/// Returns the time from which the session has ended or expired and its last access token has expired.
fn purgeable_from(record: &SessionRecord) -> Timestamp {
    let over = record.ended.map_or(Timestamp::MAX, |ended| ended.at).min(record.valid_until());
    over.max(record.access_until)
}
