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

use crate::convert::{row_count, row_limit};
use crate::escape::escape_nul;
use crate::log_row::LogRow;
use crate::paging::{ended_batch, row_number, session_page};
use crate::query_error::QueryError;
use crate::session_row::{INSERT_SESSION, bind_session, read_ended_session, read_session};
use crate::sqlite::log::append_row;
use crate::sqlite::statements::{
    ADVANCE, BEGIN, COUNT_OTHERS, END_BATCH, END_BY_ID, END_BY_TOKEN, END_NUMBER, END_OWNED,
    LAST_NUMBER, LATE_RETRY, LIST, LOAD, LOG_BATCH, OLDEST_OTHERS, PURGE_SESSIONS,
};
use crate::sqlite::store::SqliteStore;

/// The maximum number of sessions that one transaction ends. All other writers wait for it.
const MAX_BATCH: usize = 32;

// Writes read the clock after they have acquired the connection: the wait for other writers must not make them judge
// by an old time.
#[async_trait]
impl SessionStore for SqliteStore {
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        let record = new.record();
        let insert = bind_session(sqlx::query(INSERT_SESSION), record)?;
        let connection = self.writer.acquire().await?;
        let now = self.clock.now();
        let work = async |connection: &mut SqliteConnection| {
            if insert.execute(&mut *connection).await?.rows_affected() == 0 {
                return Err(StoreError::Conflict.into());
            }
            if limit.max().is_none() {
                return Ok(Vec::new());
            }
            let others = |sql, limit| {
                sqlx::query_scalar::<_, i64>(sql)
                    .bind(escape_nul(&record.issuer))
                    .bind(escape_nul(&record.subject))
                    .bind(now.unix_millis())
                    .bind(record.id.to_string())
                    .bind(row_limit(limit))
            };
            let count = others(COUNT_OTHERS, limit.max_counted()).fetch_one(&mut *connection);
            let surplus = limit.surplus(usize::try_from(count.await?).unwrap_or_default());
            if limit.rejects_new() && surplus > 0 {
                return Err(StoreError::Limit.into());
            }
            let oldest = others(OLDEST_OTHERS, surplus.min(SessionLimit::MAX_ENDED));
            let mut ended = Vec::new();
            for number in oldest.fetch_all(&mut *connection).await? {
                let end = end_query(END_NUMBER, now, EndReason::Limit).bind(number);
                ended.extend(end_and_log(connection, end).await?);
            }
            Ok(ended)
        };
        let ended = connection.transaction(BEGIN, work).await?;
        if !ended.is_empty() {
            self.signal.notify();
        }
        Ok(ended)
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        let connection = self.readers.acquire().await?;
        let now = self.clock.now();
        let row = connection.fetch_optional(sqlx::query(LOAD).bind(id.to_string())).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(SessionSnapshot { session: read_session(&row)?, now }))
    }

    async fn advance(&self, request: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
        // No session has a generation beyond the range of its column.
        let Ok(generation) = i64::try_from(request.from_generation) else { return Ok(None) };
        let connection = self.writer.acquire().await?;
        let now = self.clock.now();
        let advance = sqlx::query(ADVANCE)
            .bind(request.id.to_string())
            .bind(request.secret_hash.as_bytes().to_vec())
            .bind(generation)
            .bind(now.unix_millis())
            .bind((now + request.idle).unix_millis())
            .bind(request.access_until.unix_millis())
            .bind((now - request.grace).unix_millis())
            .bind((now + request.grace).unix_millis());
        changed_session(&connection.fetch_all(advance).await?)
    }

    async fn late_retry(&self, request: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
        let Ok(generation) = i64::try_from(request.generation) else { return Ok(None) };
        let connection = self.writer.acquire().await?;
        let now = self.clock.now();
        let late_retry = sqlx::query(LATE_RETRY)
            .bind(request.id.to_string())
            .bind(request.secret_hash.as_bytes().to_vec())
            .bind(generation)
            .bind(now.unix_millis())
            .bind(request.access_until.unix_millis())
            .bind((now - request.grace).unix_millis())
            .bind(i64::from(request.max_running))
            .bind((now + request.grace).unix_millis());
        changed_session(&connection.fetch_all(late_retry).await?)
    }

    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        let connection = self.writer.acquire().await?;
        let now = self.clock.now();
        let end = match selector {
            SessionSelector::ById { id } => end_query(END_BY_ID, now, reason).bind(id.to_string()),
            SessionSelector::ByToken { id, secret_hash } => end_query(END_BY_TOKEN, now, reason)
                .bind(id.to_string())
                .bind(secret_hash.as_bytes().to_vec()),
            SessionSelector::Owned { issuer, subject, id } => end_query(END_OWNED, now, reason)
                .bind(escape_nul(issuer))
                .bind(escape_nul(subject))
                .bind(id.to_string()),
        };
        let work = async |connection: &mut SqliteConnection| end_and_log(connection, end).await;
        let ended = connection.transaction(BEGIN, work).await?;
        if ended.is_some() {
            self.signal.notify();
        }
        Ok(ended)
    }

    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        let limit = batch.limit.clamp(1, MAX_BATCH);
        let connection = self.writer.acquire().await?;
        let now = self.clock.now();
        let work = async |connection: &mut SqliteConnection| {
            let through = match batch.through {
                Some(through) => row_number(through),
                None => sqlx::query_scalar(LAST_NUMBER).fetch_one(&mut *connection).await?,
            };
            let query = |sql| {
                end_query(sql, now, batch.reason)
                    .bind(escape_nul(batch.issuer))
                    .bind(escape_nul(batch.subject))
                    .bind(batch.after.map_or(i64::MIN, row_number))
                    .bind(through)
                    .bind(batch.keep.map(|keep| keep.to_string()).unwrap_or_default())
                    .bind(row_limit(limit))
            };
            // Both statements select the same sessions, because the first one changes none. A statement for each log
            // entry would hold the write lock longer.
            query(LOG_BATCH).execute(&mut *connection).await?;
            Ok((query(END_BATCH).fetch_all(connection).await?, through))
        };
        let (ended, through) = connection.transaction(BEGIN, work).await?;
        if !ended.is_empty() {
            self.signal.notify();
        }
        let mut ended = ended.iter().map(read_ended_session).collect::<Result<Vec<_>, _>>()?;
        // `RETURNING` does not guarantee an order.
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
        let connection = self.readers.acquire().await?;
        let list = sqlx::query(LIST)
            .bind(escape_nul(issuer))
            .bind(escape_nul(subject))
            .bind(self.clock.now().unix_millis())
            .bind(after.map_or(i64::MIN, row_number))
            .bind(row_limit(limit.saturating_add(1)));
        session_page(&connection.fetch_all(list).await?, limit)
    }

    async fn purge_sessions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let connection = self.writer.acquire().await?;
        let before = self.clock.now() - older_than;
        let purge = sqlx::query(PURGE_SESSIONS).bind(before.unix_millis()).bind(row_limit(limit));
        Ok(row_count(connection.execute(purge).await?.rows_affected()))
    }
}

type SqliteQuery<'q> = Query<'q, Sqlite, SqliteArguments>;

fn end_query(sql: &'static str, now: Timestamp, reason: EndReason) -> SqliteQuery<'static> {
    sqlx::query(sql).bind(now.unix_millis()).bind(reason.as_str())
}

/// Ends at most one session and appends its log entry, in the current transaction.
async fn end_and_log(
    connection: &mut SqliteConnection,
    end: SqliteQuery<'_>,
) -> Result<Option<Revocation>, QueryError> {
    let rows = end.fetch_all(&mut *connection).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (_, revocation) = read_ended_session(row)?;
    let entry = LogEntry::Revocation(revocation.clone());
    append_row(connection, &LogRow::try_from(&entry)?).await?;
    Ok(Some(revocation))
}

/// Reads the session that a conditional write changed.
///
/// The write returns at most one row, but its caller reads the result to the end: SQLite commits when a statement has
/// ended, and an error of the commit must not be lost.
fn changed_session(rows: &[SqliteRow]) -> Result<Option<Session>, StoreError> {
    rows.first().map(read_session).transpose()
}
