use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::error::DatabaseError;
use tower_jwt_auth_core::{
    Cursor, LogEntry, LogPage, RevocationKey, RevocationLog, StoreError, Timestamp,
};

use crate::convert::{millis, row_count, row_limit};
use crate::escape::escape_nul;
use crate::log_row::{LogRow, read_log_entry};
use crate::postgres::cursor::{EMPTY_SNAPSHOT, LogPosition, PagedScan};
use crate::postgres::statements::{
    APPEND, BEGIN_RUN, IS_REVOKED, PURGE_LOG, READ, READ_ENTRY_COLUMN,
};
use crate::postgres::store::PostgresStore;
use crate::query_error::store_error;

#[async_trait]
impl RevocationLog for PostgresStore {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        let rows: Vec<LogRow> = entries.iter().map(LogRow::try_from).collect::<Result<_, _>>()?;
        let append = sqlx::query(APPEND)
            .bind(rows.iter().map(|row| row.kind).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.issuer.clone()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.target_id.clone()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.issued_before).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.beat).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.until).collect::<Vec<_>>());
        self.pool.acquire().await?.execute(append).await?;
        // The writer of a heartbeat reads it back without a notification.
        if entries.iter().any(|entry| matches!(entry, LogEntry::Revocation(_))) {
            self.notify_readers();
        }
        Ok(())
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        let position = match after.map(LogPosition::from_cursor) {
            None => None,
            Some(Some(position)) => Some(position),
            Some(None) => return Ok(LogPage::CursorLost),
        };
        if let Some(page) = self.read_page(position.as_ref(), limit).await? {
            return Ok(page);
        }
        // No node has read since the server crashed or failed over.
        self.pool.acquire().await?.execute(sqlx::query(BEGIN_RUN)).await?;
        let page = match position {
            Some(_) => Some(LogPage::CursorLost),
            None => self.read_page(None, limit).await?,
        };
        page.ok_or_else(|| StoreError::unavailable("the run of the server has no incarnation"))
    }

    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        match after.map(LogPosition::from_cursor) {
            None => self.signal.wait(0).await,
            Some(Some(position)) => self.signal.wait(position.signal_version).await,
            Some(None) => {}
        }
        Ok(())
    }

    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        let targets = || keys.iter().map(RevocationKey::target);
        let issued_at = keys.iter().map(|key| key.issued_at().map(Timestamp::unix_millis));
        let is_revoked = sqlx::query_scalar(IS_REVOKED)
            .bind(targets().map(|(kind, ..)| kind.as_str()).collect::<Vec<_>>())
            .bind(targets().map(|(_, issuer, _)| escape_nul(issuer)).collect::<Vec<_>>())
            .bind(targets().map(|(.., id)| escape_nul(id)).collect::<Vec<_>>())
            .bind(issued_at.collect::<Vec<_>>());
        let mut connection = self.pool.acquire().await?;
        let is_revoked = is_revoked.fetch_one(&mut *connection).await;
        connection.release(is_revoked)
    }

    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        let purge = sqlx::query(PURGE_LOG).bind(millis(older_than)).bind(row_limit(limit));
        let purged = self.pool.acquire().await?.execute(purge).await?;
        Ok(row_count(purged.rows_affected()))
    }
}

impl PostgresStore {
    /// Reads a page of the log. Returns `None` if this run of the server has no incarnation yet.
    async fn read_page(
        &self,
        position: Option<&LogPosition>,
        limit: usize,
    ) -> Result<Option<LogPage>, StoreError> {
        // Taken before the read: an entry that is written during the read wakes the reader again.
        let signal_version = self.signal.version();
        let limit = limit.max(1);
        let seen_snapshot = position.map_or(EMPTY_SNAPSHOT, |position| &position.seen_snapshot);
        let scan = position.and_then(|position| position.scan.as_ref());
        let mut connection = self.pool.acquire().await?;
        let rows = sqlx::query(READ)
            .bind(seen_snapshot)
            .bind(position.map_or(EMPTY_SNAPSHOT, LogPosition::latest_snapshot))
            .bind(scan.map_or("0", |scan| &scan.xid))
            .bind(scan.map_or(0, |scan| scan.number))
            .bind(row_limit(limit.saturating_add(1)))
            .fetch_all(&mut *connection)
            .await;
        if rows.as_ref().is_err_and(is_malformed_snapshot) {
            // This store did not create the cursor.
            let _ = connection.release(rows);
            return Ok(Some(LogPage::CursorLost));
        }
        let rows = connection.release(rows)?;
        let Some(first) = rows.first() else { return Ok(None) };
        let incarnation: String = first.try_get("incarnation").map_err(store_error)?;
        let is_known: bool = first.try_get("is_known").map_err(store_error)?;
        if !is_known || position.is_some_and(|position| position.incarnation != incarnation) {
            return Ok(Some(LogPage::CursorLost));
        }
        let snapshot: String = first.try_get("snapshot").map_err(store_error)?;
        let snapshot = scan.map_or(snapshot, |scan| scan.snapshot.clone());
        let more = rows.len() > limit;
        let page = &rows[..rows.len().min(limit)];
        let mut entries = Vec::with_capacity(page.len());
        for row in page {
            entries.extend(read_log_entry(row, READ_ENTRY_COLUMN)?);
        }
        let next = match page.last().filter(|_| more) {
            None => {
                LogPosition { incarnation, seen_snapshot: snapshot, scan: None, signal_version }
            }
            Some(last) => {
                let xid = last.try_get("xid").map_err(store_error)?;
                let number = last.try_get("number").map_err(store_error)?;
                let scan = Some(PagedScan { snapshot, xid, number });
                let seen_snapshot = seen_snapshot.to_owned();
                LogPosition { incarnation, seen_snapshot, scan, signal_version }
            }
        };
        Ok(Some(LogPage::Entries { entries, next: next.to_cursor(), more }))
    }
}

/// Returns whether the server rejected a text as a snapshot or a transaction ID.
fn is_malformed_snapshot(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == "22P02")
}
