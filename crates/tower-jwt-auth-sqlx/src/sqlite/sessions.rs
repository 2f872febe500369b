use std::time::Duration;

use async_trait::async_trait;
use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use tower_jwt_auth_core::{
    AdvanceRequest, EndBatch, EndReason, EndedBatch, LateRetryRequest, LogEntry, Revocation,
    Session, SessionId, SessionLimit, SessionPage, SessionPosition, SessionSelector,
    SessionSnapshot, SessionStore, StoreError, Timestamp,
};

use super::log::write;
use super::{SqliteStore, begin};
use crate::entry::{EntryRow, read_ended};
use crate::error::Failure;
use crate::paging::{ended_batch, number, session_page};
use crate::row::{INSERT, bind_session, columns, count, read_session, rows, run_length};
use crate::text::to_table;

/// How many sessions end in one transaction: while it writes, all other writers wait.
const MAX_BATCH: usize = 32;

#[async_trait]
impl SessionStore for SqliteStore {
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        let parts = new.record();
        let adding = bind_session(sqlx::query(INSERT), parts)?;
        let lease = self.writer.lend().await?;
        let now = self.clock.now();
        let inserting = async |connection: &mut SqliteConnection| {
            if adding.execute(&mut *connection).await?.rows_affected() == 0 {
                return Err(StoreError::Conflict.into());
            }
            if limit.max().is_none() {
                return Ok(Vec::new());
            }
            let beside = |sql, rows: usize| {
                sqlx::query_scalar::<_, i64>(sql)
                    .bind(to_table(&parts.issuer).into_owned())
                    .bind(to_table(&parts.subject).into_owned())
                    .bind(now.unix_millis())
                    .bind(parts.id.to_string())
                    .bind(self::rows(rows))
            };
            let live = beside(COUNT_BESIDE, limit.max_counted()).fetch_one(&mut *connection);
            let surplus = limit.surplus(usize::try_from(live.await?).unwrap_or_default());
            if limit.rejects_new() && surplus > 0 {
                return Err(StoreError::Limit.into());
            }
            let surplus = surplus.min(SessionLimit::MAX_ENDED);
            let mut ended = Vec::new();
            for number in beside(OLDEST_BESIDE, surplus).fetch_all(&mut *connection).await? {
                let one = ending(end_where!("number = $3"), now, EndReason::Limit).bind(number);
                ended.extend(end(connection, one).await?.into_iter().map(|(_, ended)| ended));
            }
            Ok(ended)
        };
        let ended = lease.transaction(begin(), inserting).await?;
        if !ended.is_empty() {
            self.signal.notify();
        }
        Ok(ended)
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        let mut lease = self.readers.lend().await?;
        let now = self.clock.now();
        let row = sqlx::query(LOAD).bind(id.to_string()).fetch_optional(&mut *lease).await;
        let Some(row) = lease.settle(row)? else { return Ok(None) };
        Ok(Some(SessionSnapshot { session: read_session(&row)?, now }))
    }

    async fn advance(&self, step: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
        // No row has a generation beyond what its column can hold.
        let Ok(generation) = i64::try_from(step.from_generation) else { return Ok(None) };
        let mut lease = self.writer.lend().await?;
        let now = self.clock.now();
        let advancing = sqlx::query(ADVANCE)
            .bind(step.id.to_string())
            .bind(step.secret_hash.as_bytes().to_vec())
            .bind(generation)
            .bind(now.unix_millis())
            .bind((now + step.idle).unix_millis())
            .bind(step.access_until.unix_millis())
            .bind((now - step.grace).unix_millis())
            .bind((now + step.grace).unix_millis());
        let changed = advancing.fetch_all(&mut *lease).await;
        one(&lease.settle(changed)?)
    }

    async fn late_retry(&self, retry: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
        let Ok(generation) = i64::try_from(retry.generation) else { return Ok(None) };
        let mut lease = self.writer.lend().await?;
        let now = self.clock.now();
        let granting = sqlx::query(LATE_RETRY)
            .bind(retry.id.to_string())
            .bind(retry.secret_hash.as_bytes().to_vec())
            .bind(generation)
            .bind(now.unix_millis())
            .bind(retry.access_until.unix_millis())
            .bind((now - retry.grace).unix_millis())
            .bind(i64::from(retry.max_running))
            .bind((now + retry.grace).unix_millis());
        let changed = granting.fetch_all(&mut *lease).await;
        one(&lease.settle(changed)?)
    }

    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        let lease = self.writer.lend().await?;
        let now = self.clock.now();
        let this = match selector {
            SessionSelector::ById { id } => {
                ending(end_where!("id = $3"), now, reason).bind(id.to_string())
            }
            SessionSelector::ByToken { id, secret_hash } => {
                ending(end_where!("id = $3 AND secret_hash = $4"), now, reason)
                    .bind(id.to_string())
                    .bind(secret_hash.as_bytes().to_vec())
            }
            SessionSelector::Owned { issuer, subject, id } => {
                ending(end_where!("issuer = $3 AND subject = $4 AND id = $5"), now, reason)
                    .bind(to_table(issuer).into_owned())
                    .bind(to_table(subject).into_owned())
                    .bind(id.to_string())
            }
        };
        let work = async |connection: &mut SqliteConnection| end(connection, this).await;
        let ended = lease.transaction(begin(), work).await?;
        if !ended.is_empty() {
            self.signal.notify();
        }
        Ok(ended.into_iter().next().map(|(_, ended)| ended))
    }

    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        let limit = batch.limit.clamp(1, MAX_BATCH);
        let lease = self.writer.lend().await?;
        let now = self.clock.now();
        let work = async |connection: &mut SqliteConnection| {
            let through = match batch.through {
                Some(through) => number(through),
                None => sqlx::query_scalar(LAST).fetch_one(&mut *connection).await?,
            };
            let after = batch.after.map_or(i64::MIN, number);
            // Both choose the same sessions, since the first one changes none. All other writers wait meanwhile: a
            // statement for each entry takes longer.
            let these = |sql| {
                ending(sql, now, batch.reason)
                    .bind(to_table(batch.issuer).into_owned())
                    .bind(to_table(batch.subject).into_owned())
                    .bind(after)
                    .bind(through)
                    .bind(batch.keep.map(|keep| keep.to_string()).unwrap_or_default())
                    .bind(rows(limit))
            };
            these(LOG_BATCH).execute(&mut *connection).await?;
            Ok((these(END_BATCH).fetch_all(connection).await?, through))
        };
        let (ended, through) = lease.transaction(begin(), work).await?;
        if !ended.is_empty() {
            self.signal.notify();
        }
        let mut ended = ended.iter().map(read_ended).collect::<Result<Vec<_>, _>>()?;
        // Statements return rows in any order.
        ended.sort_unstable_by_key(|(number, _)| *number);
        ended_batch(ended, through, limit)
    }

    async fn list(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        limit: usize,
    ) -> Result<SessionPage, StoreError> {
        let limit = limit.max(1);
        let mut lease = self.readers.lend().await?;
        let listed = sqlx::query(LIST)
            .bind(to_table(issuer).into_owned())
            .bind(to_table(subject).into_owned())
            .bind(self.clock.now().unix_millis())
            .bind(after.map_or(i64::MIN, number))
            .bind(rows(limit.saturating_add(1)))
            .fetch_all(&mut *lease)
            .await;
        session_page(&lease.settle(listed)?, limit)
    }

    async fn purge_sessions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut lease = self.writer.lend().await?;
        let before = self.clock.now() - older_than;
        let purging = sqlx::query(PURGE).bind(before.unix_millis()).bind(rows(limit));
        let purged = purging.execute(&mut *lease).await;
        Ok(count(lease.settle(purged)?.rows_affected()))
    }
}

const LOAD: &str = concat!("SELECT ", columns!(), " FROM tower_jwt_auth_sessions WHERE id = $1");

const LIST: &str = concat!(
    "SELECT number, ",
    columns!(),
    " FROM tower_jwt_auth_sessions WHERE subject = $2 AND issuer = $1 AND ended_at IS NULL \
     AND idle_until > $3 AND expires_at > $3 AND number > $4 ORDER BY number LIMIT $5"
);

/// The live sessions of a subject beside one.
macro_rules! beside {
    () => {
        "FROM tower_jwt_auth_sessions \
         WHERE subject = $2 AND issuer = $1 AND ended_at IS NULL AND idle_until > $3 \
         AND expires_at > $3 AND id <> $4"
    };
}

const COUNT_BESIDE: &str = concat!("SELECT count(*) FROM (SELECT 1 ", beside!(), " LIMIT $5)");

const OLDEST_BESIDE: &str = concat!("SELECT number ", beside!(), " ORDER BY number LIMIT $5");

/// The last session that there is.
const LAST: &str = "SELECT coalesce(max(number), 0) FROM tower_jwt_auth_sessions";

const ADVANCE: &str = concat!(
    "UPDATE tower_jwt_auth_sessions SET generation = generation + 1, rotated_at = $4, \
     idle_until = min($5, expires_at), access_until = max(access_until, $6) \
     WHERE id = $1 AND secret_hash = $2 AND generation = $3 AND ended_at IS NULL \
     AND idle_until > $4 AND expires_at > $4 AND (generation = 0 OR rotated_at <= $7 OR rotated_at >= $8) \
     AND generation < 9223372036854775807 RETURNING ",
    columns!()
);

/// The last two conditions: this generation has not been retried late, and the run is not too long.
const LATE_RETRY: &str = concat!(
    "UPDATE tower_jwt_auth_sessions SET late_retry = $3, late_retry_length = ",
    run_length!(),
    ", rotated_at = $4, access_until = max(access_until, $5) \
     WHERE id = $1 AND secret_hash = $2 AND generation - 1 = $3 AND ended_at IS NULL \
     AND idle_until > $4 AND expires_at > $4 AND (rotated_at <= $6 OR rotated_at >= $8) \
     AND (late_retry IS NULL OR late_retry < $3) AND ",
    run_length!(),
    " <= $7 RETURNING ",
    columns!()
);

/// The last row stays: SQLite would give its number to the next one, which a batch of endings may be about to reach.
/// The unary plus keeps SQLite from reading the table by that number (SQLite,
/// "The SQLite Query Optimizer Overview", "Disqualifying WHERE Clause Terms Using Unary +").
const PURGE: &str = "DELETE FROM tower_jwt_auth_sessions WHERE number IN (\
     SELECT number FROM tower_jwt_auth_sessions \
     WHERE over_at >> 26 <= $1 >> 26 AND over_at < $1 \
     AND +number < (SELECT max(number) FROM tower_jwt_auth_sessions) LIMIT $2)";

/// Ends the sessions of which this is true.
macro_rules! end_where {
    ($condition:expr) => {
        concat!(
            "UPDATE tower_jwt_auth_sessions SET ended_at = $1, end_reason = $2 WHERE ",
            $condition,
            " AND ended_at IS NULL RETURNING number, id, issuer, access_until"
        )
    };
}
use end_where;

/// The sessions of a batch.
macro_rules! of_batch {
    () => {
        "FROM tower_jwt_auth_sessions \
         WHERE subject = $4 AND issuer = $3 AND ended_at IS NULL AND number > $5 AND number <= $6 \
         AND id <> $7 ORDER BY number LIMIT $8"
    };
}

const LOG_BATCH: &str = concat!(
    "INSERT INTO tower_jwt_auth_log (kind, issuer, name, until) \
     SELECT 'session', issuer, id, access_until ",
    of_batch!()
);

const END_BATCH: &str = end_where!(concat!("number IN (SELECT number ", of_batch!(), ")"));

type Ending<'q> = Query<'q, Sqlite, SqliteArguments>;

fn ending(sql: &'static str, now: Timestamp, reason: EndReason) -> Ending<'static> {
    sqlx::query(sql).bind(now.unix_millis()).bind(reason.as_str())
}

/// Ends sessions and writes their log entries, in the transaction that the connection is in.
async fn end(
    connection: &mut SqliteConnection,
    these: Ending<'_>,
) -> Result<Vec<(i64, Revocation)>, Failure> {
    let rows = these.fetch_all(&mut *connection).await?;
    let mut ended = Vec::with_capacity(rows.len());
    for row in &rows {
        let (number, revocation) = read_ended(row)?;
        let entry = LogEntry::Revocation(revocation);
        write(connection, &EntryRow::try_from(&entry)?).await?;
        if let LogEntry::Revocation(revocation) = entry {
            ended.push((number, revocation));
        }
    }
    Ok(ended)
}

/// The row that a conditional write changed.
///
/// All rows are asked for, though there is one at most: SQLite commits when a statement has come to its end,
/// and an error in that must not be lost.
fn one(changed: &[SqliteRow]) -> Result<Option<Session>, StoreError> {
    changed.first().map(read_session).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sessions_are_found_by_index() {
        for (sql, index) in [
            (LIST, "tower_jwt_auth_sessions_subject (subject=? AND rowid>?)"),
            (COUNT_BESIDE, "tower_jwt_auth_sessions_subject (subject=?)"),
            (OLDEST_BESIDE, "tower_jwt_auth_sessions_subject (subject=?)"),
            (LOG_BATCH, "tower_jwt_auth_sessions_subject (subject=? AND rowid>? AND rowid<?)"),
            (END_BATCH, "tower_jwt_auth_sessions_subject (subject=? AND rowid>? AND rowid<?)"),
            (PURGE, "tower_jwt_auth_sessions_over (<expr><?)"),
            (ADVANCE, "sqlite_autoindex_tower_jwt_auth_sessions_1 (id=?)"),
        ] {
            let plan = super::super::plan(sql).await;
            assert!(plan.contains(index), "{sql}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }
}
