use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Cursor, LogEntry, RevocationKey, RevocationKind, Timestamp};

/// The log and two ways into it.
pub(super) struct Log {
    incarnation: u64,
    entries: BTreeMap<u64, LogEntry>,
    until: BTreeSet<(Timestamp, u64)>,
    names: HashMap<Name, BTreeSet<u64>>,
    last: u64,
}

/// What a revocation names: its kind, issuer and name.
type Name = (RevocationKind, String, String);

/// Tells the logs of one process apart; a cursor never leaves it.
static INCARNATIONS: AtomicU64 = AtomicU64::new(0);

impl Log {
    pub(super) fn new() -> Self {
        Self {
            incarnation: INCARNATIONS.fetch_add(1, Ordering::Relaxed),
            entries: BTreeMap::new(),
            until: BTreeSet::new(),
            names: HashMap::new(),
            last: 0,
        }
    }

    /// The number of the last entry.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// At most `limit` entries after this one, where to read on, and whether there is more.
    pub(super) fn after(&self, number: u64, limit: usize) -> (Vec<LogEntry>, Cursor, bool) {
        let mut found = self.entries.range(number + 1..);
        let mut entries = Vec::new();
        let mut next = self.last;
        for (number, entry) in found.by_ref() {
            entries.push(entry.clone());
            if entries.len() == limit {
                next = *number;
                break;
            }
        }
        (entries, self.cursor(next), found.next().is_some())
    }

    /// Removes at most `limit` entries that matter until before this; tells how many.
    pub(super) fn purge(&mut self, before: Timestamp, limit: usize) -> usize {
        let mut removed = 0;
        while removed < limit {
            match self.until.first().copied() {
                Some((until, number)) if until < before => {
                    self.until.pop_first();
                    self.remove(number);
                    removed += 1;
                }
                _ => break,
            }
        }
        removed
    }

    pub(super) fn append(&mut self, entry: LogEntry) {
        self.last += 1;
        self.until.insert((entry.until(), self.last));
        if let LogEntry::Revocation(revocation) = &entry {
            self.names.entry(owned(revocation.target())).or_default().insert(self.last);
        }
        self.entries.insert(self.last, entry);
    }

    fn remove(&mut self, number: u64) {
        if let Some(LogEntry::Revocation(revocation)) = self.entries.remove(&number) {
            let name = owned(revocation.target());
            if let Some(numbers) = self.names.get_mut(&name) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.names.remove(&name);
                }
            }
        }
    }

    pub(super) fn covers(&self, key: &RevocationKey<'_>) -> bool {
        let numbers = self.names.get(&owned(key.target())).into_iter().flatten();
        numbers.filter_map(|number| self.entries.get(number)).any(|entry| match entry {
            LogEntry::Revocation(revocation) => revocation.covers(key),
            LogEntry::Heartbeat(_) => false,
        })
    }

    fn cursor(&self, number: u64) -> Cursor {
        Cursor::new([self.incarnation.to_be_bytes(), number.to_be_bytes()].concat())
    }

    /// The entry number that the cursor points at, if it is one of this log.
    pub(super) fn position(&self, cursor: &Cursor) -> Option<u64> {
        let number = cursor.as_bytes().strip_prefix(&self.incarnation.to_be_bytes())?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        (number <= self.last).then_some(number)
    }
}

fn owned((kind, issuer, name): (RevocationKind, &str, &str)) -> Name {
    (kind, issuer.to_owned(), name.to_owned())
}
