use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;
use tower_jwt_auth_core::{
    Cursor, LogEntry, LogPage, RevocationKey, RevocationLog, StoreError, Timestamp,
};

use crate::convert::{row_count, row_limit};
use crate::escape::escape_nul;
use crate::log_row::{HEARTBEAT, LogRow, read_log_entry};
use crate::query_error::store_error;
use crate::sqlite::cursor::LogPosition;
use crate::sqlite::statements::{
    APPEND, BEGIN, DELETE_HEARTBEATS, IS_REVOKED, PURGE_LOG, READ, READ_ENTRY_COLUMN,
};
use crate::sqlite::store::SqliteStore;

#[async_trait]
impl RevocationLog for SqliteStore {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        let rows: Vec<LogRow> = entries.iter().map(LogRow::try_from).collect::<Result<_, _>>()?;
        let work = async |connection: &mut SqliteConnection| {
            for row in &rows {
                append_row(connection, row).await?;
            }
            Ok(())
        };
        self.writer.acquire().await?.transaction(BEGIN, work).await?;
        self.signal.notify();
        Ok(())
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        // Taken before the read: an entry that is written during the read wakes the reader again.
        let signal_version = self.signal.version();
        let position = match after.map(LogPosition::from_cursor) {
            None => None,
            Some(Some(position)) => Some(position),
            Some(None) => return Ok(LogPage::CursorLost),
        };
        let limit = limit.max(1);
        let read = sqlx::query(READ)
            .bind(position.as_ref().map_or(0, |position| position.number))
            .bind(row_limit(limit.saturating_add(1)));
        let rows = self.readers.acquire().await?.fetch_all(read).await?;
        let Some(first) = rows.first() else {
            return Err(StoreError::corrupt("the table tower_jwt_auth_meta is empty"));
        };
        let incarnation: String = first.try_get("incarnation").map_err(store_error)?;
        let last: i64 = first.try_get("last").map_err(store_error)?;
        if position
            .is_some_and(|position| position.incarnation != incarnation || position.number > last)
        {
            return Ok(LogPage::CursorLost);
        }
        let more = rows.len() > limit;
        let mut number = last;
        let mut entries = Vec::with_capacity(rows.len().min(limit));
        for row in rows.iter().take(limit) {
            entries.extend(read_log_entry(row, READ_ENTRY_COLUMN)?);
            if more {
                number = row.try_get("number").map_err(store_error)?;
            }
        }
        let next = LogPosition { incarnation, number, signal_version };
        Ok(LogPage::Entries { entries, next: next.to_cursor(), more })
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
        let mut connection = self.readers.acquire().await?;
        let query = async {
            for key in keys {
                if is_revoked(&mut connection, key).await? {
                    return Ok(true);
                }
            }
            Ok::<_, sqlx::Error>(false)
        };
        let is_revoked = query.await;
        connection.release(is_revoked)
    }

    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        let connection = self.writer.acquire().await?;
        let before = self.clock.now() - older_than;
        let purge = sqlx::query(PURGE_LOG).bind(before.unix_millis()).bind(row_limit(limit));
        Ok(row_count(connection.execute(purge).await?.rows_affected()))
    }
}

/// Appends an entry. A heartbeat replaces the former ones of its node.
pub(super) async fn append_row(
    connection: &mut SqliteConnection,
    row: &LogRow,
) -> Result<(), sqlx::Error> {
    if row.kind == HEARTBEAT {
        let delete = sqlx::query(DELETE_HEARTBEATS).bind(row.target_id.clone());
        delete.execute(&mut *connection).await?;
    }
    sqlx::query(APPEND)
        .bind(row.kind)
        .bind(row.issuer.clone())
        .bind(row.target_id.clone())
        .bind(row.issued_before)
        .bind(row.beat)
        .bind(row.until)
        .execute(connection)
        .await?;
    Ok(())
}

async fn is_revoked(
    connection: &mut SqliteConnection,
    key: &RevocationKey<'_>,
) -> Result<bool, sqlx::Error> {
    let (kind, issuer, id) = key.target();
    let is_revoked = sqlx::query(IS_REVOKED)
        .bind(kind.as_str())
        .bind(escape_nul(issuer))
        .bind(escape_nul(id))
        .bind(key.issued_at().map(Timestamp::unix_millis));
    Ok(is_revoked.fetch_optional(connection).await?.is_some())
}
