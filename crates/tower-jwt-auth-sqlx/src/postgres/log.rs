use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::error::DatabaseError;
use tower_jwt_auth_core::{
    Cursor, LogEntry, LogPage, RevocationKey, RevocationLog, StoreError, Timestamp,
};

use super::cursor::{NOTHING, Place, Round};
use super::{PostgresStore, now};
use crate::entry::{EntryRow, read_entry};
use crate::error::store_error;
use crate::row::{count, millis, rows};
use crate::text::to_table;

#[async_trait]
impl RevocationLog for PostgresStore {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        let rows: Vec<EntryRow> =
            entries.iter().map(EntryRow::try_from).collect::<Result<_, _>>()?;
        let mut lease = self.desk.lend().await?;
        let written = sqlx::query(APPEND)
            .bind(rows.iter().map(|row| row.kind).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.issuer.clone()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.issued_before).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.beat).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.until).collect::<Vec<_>>())
            .execute(&mut *lease)
            .await;
        lease.settle(written)?;
        // Whoever wrote a heartbeat reads it back without being told.
        if entries.iter().any(|entry| matches!(entry, LogEntry::Revocation(_))) {
            self.announce();
        }
        Ok(())
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        let place = match after.map(Place::read) {
            None => None,
            Some(Some(place)) => Some(place),
            Some(None) => return Ok(LogPage::CursorLost),
        };
        if let Some(page) = self.page(place.as_ref(), limit).await? {
            return Ok(page);
        }
        // The server has crashed or failed over since anyone read.
        self.begin_run().await?;
        let page = match place {
            Some(_) => Some(LogPage::CursorLost),
            None => self.page(None, limit).await?,
        };
        page.ok_or_else(|| StoreError::unavailable("the run of the server is not told apart"))
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
        let names = || keys.iter().map(RevocationKey::target);
        let issued_at = keys.iter().map(|key| key.issued_at().map(Timestamp::unix_millis));
        let mut lease = self.desk.lend().await?;
        let found = sqlx::query_scalar(IS_REVOKED)
            .bind(names().map(|(kind, ..)| kind.as_str()).collect::<Vec<_>>())
            .bind(names().map(|(_, issuer, _)| to_table(issuer).into_owned()).collect::<Vec<_>>())
            .bind(names().map(|(.., name)| to_table(name).into_owned()).collect::<Vec<_>>())
            .bind(issued_at.collect::<Vec<_>>())
            .fetch_one(&mut *lease)
            .await;
        lease.settle(found)
    }

    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        let mut lease = self.desk.lend().await?;
        let purging = sqlx::query(PURGE).bind(millis(older_than)).bind(rows(limit));
        let purged = purging.execute(&mut *lease).await;
        Ok(count(lease.settle(purged)?.rows_affected()))
    }
}

impl PostgresStore {
    /// A page of the log after this place; none where this run of the server has no name yet.
    async fn page(
        &self,
        place: Option<&Place>,
        limit: usize,
    ) -> Result<Option<LogPage>, StoreError> {
        // Counted before the reading: what is written meanwhile wakes the reader again.
        let rung = self.signal.version();
        let limit = limit.max(1);
        let seen = place.map_or(NOTHING, |place| &place.seen);
        let round = place.and_then(|place| place.round.as_ref());
        let mut lease = self.desk.lend().await?;
        let found = sqlx::query(READ)
            .bind(seen)
            .bind(place.map_or(NOTHING, Place::newest))
            .bind(round.map_or("0", |round| &round.xid))
            .bind(round.map_or(0, |round| round.number))
            .bind(rows(limit.saturating_add(1)))
            .fetch_all(&mut *lease)
            .await;
        if found.as_ref().is_err_and(is_no_snapshot) {
            // Not even a snapshot: no cursor that was made here.
            let _ = lease.settle(found);
            return Ok(Some(LogPage::CursorLost));
        }
        let found = lease.settle(found)?;
        let Some(first) = found.first() else { return Ok(None) };
        let incarnation: String = first.try_get("incarnation").map_err(store_error)?;
        let is_known: bool = first.try_get("is_known").map_err(store_error)?;
        if !is_known || place.is_some_and(|place| place.incarnation != incarnation) {
            return Ok(Some(LogPage::CursorLost));
        }
        let snapshot: String = first.try_get("snapshot").map_err(store_error)?;
        let begun = round.map_or(snapshot, |round| round.begun.clone());
        let more = found.len() > limit;
        let page = &found[..found.len().min(limit)];
        let mut entries = Vec::with_capacity(page.len());
        for row in page {
            entries.extend(read_entry(row)?);
        }
        let next = match page.last().filter(|_| more) {
            None => Place { incarnation, seen: begun, round: None, rung },
            Some(last) => {
                let xid = last.try_get("xid").map_err(store_error)?;
                let number = last.try_get("number").map_err(store_error)?;
                let round = Some(Round { begun, xid, number });
                Place { incarnation, seen: seen.to_owned(), round, rung }
            }
        };
        Ok(Some(LogPage::Entries { entries, next: next.cursor(), more }))
    }

    /// Gives this run of the server a name where it has none; of several nodes at once one does.
    async fn begin_run(&self) -> Result<(), StoreError> {
        let mut lease = self.desk.lend().await?;
        let begin = "INSERT INTO tower_jwt_auth_run DEFAULT VALUES ON CONFLICT DO NOTHING";
        let begun = sqlx::query(begin).execute(&mut *lease).await;
        lease.settle(begun).map(drop)
    }
}

/// Whether the server does not take a text for a snapshot or a transaction id.
fn is_no_snapshot(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == "22P02")
}

/// Writes entries. Of the heartbeats of a node the last one is enough.
const APPEND: &str = "WITH new AS (\
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], \
             $6::bigint[]) AS new (kind, issuer, name, issued_before, beat, until)\
     ), gone AS (\
         DELETE FROM tower_jwt_auth_log AS log USING new \
         WHERE new.kind = 'heartbeat' AND log.name = new.name AND log.kind = 'heartbeat'\
     ) \
     INSERT INTO tower_jwt_auth_log (kind, issuer, name, issued_before, beat, until) \
     SELECT * FROM new";

/// The limit of one is for the planner, which takes a table that was never analysed for a large one.
///
/// What is in the log and was not in the snapshot $1, after the row ($3, $4); beside each row (and where there is
/// none) the snapshot of this statement, and whether the server has come at least as far as the snapshot $2.
///
/// One bound says where to begin: of two, PostgreSQL may begin at the lower one and walk over the whole index.
/// Numbers begin at 1.
const READ: &str = "WITH state AS MATERIALIZED (\
         SELECT incarnation || '/' || extract(epoch FROM pg_postmaster_start_time()) AS incarnation, \
             pg_current_snapshot() AS snapshot \
         FROM tower_jwt_auth_run LIMIT 1\
     ) \
     SELECT state.incarnation, state.snapshot::text AS snapshot, \
         pg_snapshot_xmax($2::text::pg_snapshot) <= pg_snapshot_xmax(state.snapshot) AS is_known, \
         entry.* \
     FROM state LEFT JOIN LATERAL (\
         SELECT xid::text AS xid, number, kind, issuer, name, issued_before, beat, until \
         FROM tower_jwt_auth_log \
         WHERE (xid, number) > (\
             GREATEST($3::text::xid8, pg_snapshot_xmin($1::text::pg_snapshot)), \
             CASE WHEN $3::text::xid8 >= pg_snapshot_xmin($1::text::pg_snapshot) \
                 THEN $4::bigint ELSE 0 END) \
         AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot) \
         ORDER BY tower_jwt_auth_log.xid, number LIMIT $5\
     ) AS entry ON TRUE ORDER BY entry.xid::xid8, entry.number";

const IS_REVOKED: &str = "SELECT EXISTS (\
         SELECT FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) \
             AS key (kind, issuer, name, issued_at) \
         JOIN tower_jwt_auth_log AS log USING (name, issuer, kind) \
         WHERE key.issued_at IS NULL OR key.issued_at < log.issued_before\
     )";

/// The time is asked for in a query of its own: compared with a function that changes all the while, every row
/// would have to be looked at.
const PURGE: &str = concat!(
    "DELETE FROM tower_jwt_auth_log WHERE ctid = ANY(ARRAY(\
         SELECT ctid FROM tower_jwt_auth_log WHERE until < (SELECT ",
    now!(),
    " - $1) ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED))"
);
