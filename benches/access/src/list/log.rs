use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tower_jwt_auth::store::{
    ChangeSignal, Cursor, LogEntry, LogPage, Revocation, RevocationKey, RevocationLog, StoreError,
    Timestamp,
};

use crate::tokens::ISSUER;

/// A log whose first entries are made up when they are read, so that they take no memory.
pub(super) struct SyntheticLog {
    made_up: usize,
    until: Timestamp,
    appended: Mutex<Vec<LogEntry>>,
    changed: ChangeSignal,
}

impl SyntheticLog {
    pub(super) fn new(made_up: usize, until: Timestamp) -> Self {
        Self { made_up, until, appended: Mutex::new(Vec::new()), changed: ChangeSignal::new() }
    }

    fn entry(&self, number: usize, appended: &[LogEntry]) -> Option<LogEntry> {
        if number < self.made_up {
            let (issuer, sid) = (ISSUER.to_owned(), format!("{number:022}"));
            return Some(LogEntry::Revocation(Revocation::Session {
                issuer,
                sid,
                until: self.until,
            }));
        }
        appended.get(number - self.made_up).cloned()
    }

    fn appended(&self) -> Result<std::sync::MutexGuard<'_, Vec<LogEntry>>, StoreError> {
        self.appended.lock().map_err(|_| StoreError::unavailable("the log is poisoned"))
    }
}

/// Returns the number of the first entry after the cursor.
fn position(cursor: Option<&Cursor>) -> usize {
    let number = cursor.and_then(|cursor| cursor.as_bytes().try_into().ok());
    number.map_or(0, usize::from_be_bytes)
}

#[async_trait]
impl RevocationLog for SyntheticLog {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        self.appended()?.extend_from_slice(entries);
        self.changed.notify();
        Ok(())
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        let appended = self.appended()?;
        let first = position(after);
        let end = self.made_up + appended.len();
        let next = end.min(first + limit);
        let entries = (first..next).filter_map(|number| self.entry(number, &appended)).collect();
        let cursor = Cursor::new(next.to_be_bytes());
        Ok(LogPage::Entries { entries, next: cursor, more: next < end })
    }

    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        loop {
            let version = self.changed.version();
            if self.made_up + self.appended()?.len() > position(after) {
                return Ok(());
            }
            self.changed.wait(version).await;
        }
    }

    async fn is_revoked(&self, _: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn purge_log(&self, _: Duration, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}
