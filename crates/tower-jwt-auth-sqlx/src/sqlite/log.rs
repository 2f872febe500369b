use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;
use tower_jwt_auth_core::{
    Cursor, LogEntry, LogPage, RevocationKey, RevocationLog, StoreError, Timestamp,
};

use super::{SqliteStore, begin};
use crate::entry::{EntryRow, HEARTBEAT, read_entry};
use crate::error::store_error;
use crate::row::{count, rows};
use crate::text::to_table;

#[async_trait]
impl RevocationLog for SqliteStore {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        let rows: Vec<EntryRow> =
            entries.iter().map(EntryRow::try_from).collect::<Result<_, _>>()?;
        let lease = self.writer.lend().await?;
        let writing = async |connection: &mut SqliteConnection| {
            for row in &rows {
                write(connection, row).await?;
            }
            Ok(())
        };
        lease.transaction(begin(), writing).await?;
        self.signal.notify();
        Ok(())
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        // Counted before the reading: what is written meanwhile wakes the reader again.
        let rung = self.signal.version();
        let place = match after.map(Place::read) {
            None => None,
            Some(Some(place)) => Some(place),
            Some(None) => return Ok(LogPage::CursorLost),
        };
        let limit = limit.max(1);
        let mut lease = self.readers.lend().await?;
        let found = sqlx::query(READ)
            .bind(place.as_ref().map_or(0, |place| place.number))
            .bind(rows(limit.saturating_add(1)))
            .fetch_all(&mut *lease)
            .await;
        let found = lease.settle(found)?;
        let Some(first) = found.first() else {
            return Err(StoreError::corrupt("the table tower_jwt_auth_meta is empty"));
        };
        let incarnation: String = first.try_get("incarnation").map_err(store_error)?;
        let last: i64 = first.try_get("last").map_err(store_error)?;
        if place.is_some_and(|place| place.incarnation != incarnation || place.number > last) {
            return Ok(LogPage::CursorLost);
        }
        let more = found.len() > limit;
        let mut number = last;
        let mut entries = Vec::with_capacity(found.len().min(limit));
        for row in found.iter().take(limit) {
            entries.extend(read_entry(row)?);
            if more {
                number = row.try_get("number").map_err(store_error)?;
            }
        }
        Ok(LogPage::Entries { entries, next: Place { incarnation, number, rung }.cursor(), more })
    }

    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        match after.map(Place::read) {
            None => self.signal.wait(0).await,
            Some(Some(place)) => self.signal.wait(place.rung).await,
            Some(None) => {}
        }
        Ok(())
    }

    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        let mut lease = self.readers.lend().await?;
        let asking = async {
            for key in keys {
                if is_revoked(&mut lease, key).await? {
                    return Ok(true);
                }
            }
            Ok::<_, sqlx::Error>(false)
        };
        let outcome = asking.await;
        lease.settle(outcome)
    }

    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        let mut lease = self.writer.lend().await?;
        let before = self.clock.now() - older_than;
        let outcome = sqlx::query(PURGE)
            .bind(before.unix_millis())
            .bind(rows(limit))
            .execute(&mut *lease)
            .await;
        Ok(count(lease.settle(outcome)?.rows_affected()))
    }
}

/// The log after an entry, and beside each row (and where there is none) what the cursor is held against.
const READ: &str = "SELECT meta.incarnation, \
     coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tower_jwt_auth_log'), 0) AS last, \
     log.number, log.kind, log.issuer, log.name, log.issued_before, log.beat, log.until \
     FROM tower_jwt_auth_meta AS meta LEFT JOIN tower_jwt_auth_log AS log ON log.number > $1 \
     ORDER BY log.number LIMIT $2";

const IS_REVOKED: &str = "SELECT 1 FROM tower_jwt_auth_log \
     WHERE name = $3 AND issuer = $2 AND kind = $1 AND ($4 IS NULL OR $4 < issued_before) LIMIT 1";

const PURGE: &str = "DELETE FROM tower_jwt_auth_log WHERE number IN (\
     SELECT number FROM tower_jwt_auth_log WHERE until < $1 ORDER BY until LIMIT $2)";

/// Writes an entry. Of the heartbeats of a node the last one is enough.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    row: &EntryRow,
) -> Result<(), sqlx::Error> {
    if row.kind == HEARTBEAT {
        let gone = "DELETE FROM tower_jwt_auth_log WHERE name = $1 AND kind = 'heartbeat'";
        sqlx::query(gone).bind(row.name.clone()).execute(&mut *connection).await?;
    }
    sqlx::query(
        "INSERT INTO tower_jwt_auth_log (kind, issuer, name, issued_before, beat, until) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(row.kind)
    .bind(row.issuer.clone())
    .bind(row.name.clone())
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
    let (kind, issuer, name) = key.target();
    let issued_at = key.issued_at().map(Timestamp::unix_millis);
    let found = sqlx::query(IS_REVOKED)
        .bind(kind.as_str())
        .bind(to_table(issuer).into_owned())
        .bind(to_table(name).into_owned())
        .bind(issued_at);
    Ok(found.fetch_optional(connection).await?.is_some())
}

/// What a cursor holds.
struct Place {
    incarnation: String,
    number: i64,
    /// How often the bell had been rung.
    rung: u64,
}

impl Place {
    fn cursor(&self) -> Cursor {
        let Self { incarnation, number, rung } = self;
        Cursor::new(format!("{incarnation} {number} {rung}").into_bytes())
    }

    fn read(cursor: &Cursor) -> Option<Self> {
        let mut parts = std::str::from_utf8(cursor.as_bytes()).ok()?.split(' ');
        let place = Self {
            incarnation: parts.next()?.to_owned(),
            number: parts.next()?.parse().ok()?,
            rung: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn entries_are_found_by_index() {
        for (sql, index) in [
            (IS_REVOKED, "tower_jwt_auth_log_name (name=?)"),
            (PURGE, "tower_jwt_auth_log_until (until<?)"),
            (READ, "INTEGER PRIMARY KEY (rowid>?)"),
        ] {
            let plan = super::super::plan(sql).await;
            assert!(plan.contains(index), "{sql}: {plan}");
        }
    }
}
