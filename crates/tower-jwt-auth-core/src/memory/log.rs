use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::log::{Cursor, LogEntry};
use crate::revocation::{RevocationKey, RevocationKind};
use crate::time::Timestamp;

/// The log, with an index by expiry and one by target.
pub(super) struct Log {
    incarnation: u64,
    entries: BTreeMap<u64, LogEntry>,
    by_until: BTreeSet<(Timestamp, u64)>,
    by_target: HashMap<Target, BTreeSet<u64>>,
    last: u64,
}

/// The target of a revocation: its kind, its issuer, and the ID of the token or session or the subject.
type Target = (RevocationKind, String, String);

/// Distinguishes the logs of one process. A cursor never leaves the process.
static INCARNATIONS: AtomicU64 = AtomicU64::new(0);

impl Log {
    pub(super) fn new() -> Self {
        Self {
            incarnation: INCARNATIONS.fetch_add(1, Ordering::Relaxed),
            entries: BTreeMap::new(),
            by_until: BTreeSet::new(),
            by_target: HashMap::new(),
            last: 0,
        }
    }

    /// Returns the number of the last entry.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Returns at most `limit` entries after an entry, the cursor of the next page, and whether there are more entries.
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

    /// Removes at most `limit` entries whose `until` is before a time. Returns how many it removed.
    pub(super) fn purge(&mut self, before: Timestamp, limit: usize) -> usize {
        let mut removed = 0;
        while removed < limit {
            match self.by_until.first().copied() {
                Some((until, number)) if until < before => {
                    self.by_until.pop_first();
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
        self.by_until.insert((entry.until(), self.last));
        if let LogEntry::Revocation(revocation) = &entry {
            self.by_target.entry(owned(revocation.target())).or_default().insert(self.last);
        }
        self.entries.insert(self.last, entry);
    }

    fn remove(&mut self, number: u64) {
        if let Some(LogEntry::Revocation(revocation)) = self.entries.remove(&number) {
            let target = owned(revocation.target());
            if let Some(numbers) = self.by_target.get_mut(&target) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.by_target.remove(&target);
                }
            }
        }
    }

    pub(super) fn covers(&self, key: &RevocationKey<'_>) -> bool {
        let numbers = self.by_target.get(&owned(key.target())).into_iter().flatten();
        numbers.filter_map(|number| self.entries.get(number)).any(|entry| match entry {
            LogEntry::Revocation(revocation) => revocation.covers(key),
            LogEntry::Heartbeat(_) => false,
        })
    }

    fn cursor(&self, number: u64) -> Cursor {
        Cursor::new([self.incarnation.to_be_bytes(), number.to_be_bytes()].concat())
    }

    /// Returns the number of the entry that a cursor of this log points at.
    pub(super) fn position(&self, cursor: &Cursor) -> Option<u64> {
        let number = cursor.as_bytes().strip_prefix(&self.incarnation.to_be_bytes())?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        (number <= self.last).then_some(number)
    }
}

fn owned((kind, issuer, id): (RevocationKind, &str, &str)) -> Target {
    (kind, issuer.to_owned(), id.to_owned())
}
