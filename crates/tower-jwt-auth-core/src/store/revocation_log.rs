use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::error::StoreError;
use crate::log::{Cursor, LogEntry, LogPage};
use crate::revocation::RevocationKey;

/// The durable log of revocations, in the order in which they happened.
///
/// # Contract
///
/// - An entry that [`append`](Self::append) has acknowledged must survive every failure that the store survives.
/// - Entries are idempotent: a repeated entry has no further effect. An entry for the same target with another `until`
///   must not shorten an earlier one.
/// - A reader that goes from cursor to cursor must see every committed entry, even if writers commit in another order
///   than they begin. It may see an entry twice.
/// - Only [`purge_log`](Self::purge_log) removes entries.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{
///     LogEntry, MemoryStore, Revocation, RevocationKey, RevocationLog, StoreError, Timestamp,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let store = MemoryStore::new();
/// let revocation = Revocation::Token {
///     issuer: "https://shop.example".into(),
///     jti: "0d1b4Sg5TjWwXlBZ2wJ0cw".into(),
///     until: Timestamp::from_unix_seconds(1_700_000_300),
/// };
/// store.append(&[LogEntry::Revocation(revocation)]).await?;
///
/// let key = RevocationKey::Token { issuer: "https://shop.example", jti: "0d1b4Sg5TjWwXlBZ2wJ0cw" };
/// assert!(store.is_revoked(&[key]).await?);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait RevocationLog: Send + Sync + 'static {
    /// Appends the entries, all or none of them.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it is not certain that the entries were appended.
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError>;

    /// Reads at most `limit` entries after the cursor, or from the start. A `limit` of 0 counts as 1.
    ///
    /// Must return [`LogPage::CursorLost`] for a cursor of another incarnation of the log (the log was restored,
    /// failed over to an incomplete copy, or emptied) and for a cursor beyond the end of the log.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the log cannot be read.
    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError>;

    /// Waits until there may be an entry to read after the cursor.
    ///
    /// This only reduces latency: it may return without a new entry, and callers also read on a timer. The future must
    /// be safe to drop at any point.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the log cannot be watched.
    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError>;

    /// Returns whether any of the keys has been revoked, according to the log itself and never to a copy of it.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the log cannot be queried.
    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError>;

    /// Removes at most `limit` entries whose `until` passed longer ago than `older_than`. Returns how many it removed.
    ///
    /// Must go by the store's clock, so that a node whose own clock is wrong removes no entry that other nodes need.
    /// Cursors must stay valid.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the entries could not be removed.
    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError>;
}

#[async_trait]
impl<T: RevocationLog + ?Sized> RevocationLog for Arc<T> {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        (**self).append(entries).await
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        (**self).read(after, limit).await
    }

    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        (**self).changed(after).await
    }

    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        (**self).is_revoked(keys).await
    }

    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        (**self).purge_log(older_than, limit).await
    }
}
