use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};
use tower_jwt_auth_core::{
    AdvanceRequest, EndBatch, EndReason, EndedBatch, LateRetryRequest, Revocation, Session,
    SessionId, SessionLimit, SessionPage, SessionPosition, SessionSelector, SessionSnapshot,
    SessionStore, StoreError, Timestamp,
};

use crate::convert::{millis, row_count, row_limit};
use crate::escape::escape_nul;
use crate::paging::{ended_batch, row_number, session_page};
use crate::postgres::statements::{
    ADVANCE, BEGIN, COUNT_OTHERS, END_BATCH, END_BY_ID, END_BY_TOKEN, END_NUMBERS, END_OWNED,
    LATE_RETRY, LIST, LOAD, LOCK_SUBJECT, OLDEST_OTHERS, PURGE_SESSIONS,
};
use crate::postgres::store::PostgresStore;
use crate::query_error::store_error;
use crate::session_row::{INSERT_SESSION, bind_session, read_ended_session, read_session};

/// The maximum number of sessions that one statement ends.
const MAX_BATCH: usize = 32;

#[async_trait]
impl SessionStore for PostgresStore {
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        let record = new.record();
        let insert = bind_session(sqlx::query(INSERT_SESSION), record)?;
        let connection = self.pool.acquire().await?;
        if limit.max().is_none() {
            return match connection.execute(insert).await?.rows_affected() {
                0 => Err(StoreError::Conflict),
                _ => Ok(Vec::new()),
            };
        }
        let (issuer, subject) = (escape_nul(&record.issuer), escape_nul(&record.subject));
        let work = async |connection: &mut PgConnection| {
            // Sign-ins of a subject are serialized. Each statement sees the changes of the sign-ins before.
            let lock = sqlx::query(LOCK_SUBJECT).bind(issuer.clone()).bind(subject.clone());
            lock.execute(&mut *connection).await?;
            if insert.execute(&mut *connection).await?.rows_affected() == 0 {
                return Err(StoreError::Conflict.into());
            }
            let others = |sql, limit| {
                sqlx::query_scalar::<_, i64>(sql)
                    .bind(issuer.clone())
                    .bind(subject.clone())
                    .bind(record.id.to_string())
                    .bind(row_limit(limit))
            };
            let count = others(COUNT_OTHERS, limit.max_counted()).fetch_one(&mut *connection);
            let surplus = limit.surplus(usize::try_from(count.await?).unwrap_or_default());
            if limit.rejects_new() && surplus > 0 {
                return Err(StoreError::Limit.into());
            }
            if surplus == 0 {
                return Ok(Vec::new());
            }
            let oldest = others(OLDEST_OTHERS, surplus.min(SessionLimit::MAX_ENDED));
            let oldest = oldest.fetch_all(&mut *connection).await?;
            let end = end_query(END_NUMBERS, EndReason::Limit).bind(oldest);
            let ended = end.fetch_all(connection).await?;
            let ended = ended.iter().map(|row| Ok(read_ended_session(row)?.1));
            Ok(ended.collect::<Result<Vec<_>, StoreError>>()?)
        };
        let ended = connection.transaction(BEGIN, work).await?;
        if !ended.is_empty() {
            self.notify_readers();
        }
        Ok(ended)
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        let load = sqlx::query(LOAD).bind(id.to_string());
        let row = self.pool.acquire().await?.fetch_optional(load).await?;
        let Some(row) = row else { return Ok(None) };
        let now = Timestamp::from_unix_millis(row.try_get("now").map_err(store_error)?);
        Ok(Some(SessionSnapshot { session: read_session(&row)?, now }))
    }

    async fn advance(&self, request: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
        // No session has a generation beyond the range of its column.
        let Ok(generation) = i64::try_from(request.from_generation) else { return Ok(None) };
        let advance = sqlx::query(ADVANCE)
            .bind(request.id.to_string())
            .bind(request.secret_hash.as_bytes().to_vec())
            .bind(generation)
            .bind(millis(request.idle))
            .bind(request.access_until.unix_millis())
            .bind(millis(request.grace));
        let changed = self.pool.acquire().await?.fetch_optional(advance).await?;
        changed.as_ref().map(read_session).transpose()
    }

    async fn late_retry(&self, request: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
        let Ok(generation) = i64::try_from(request.generation) else { return Ok(None) };
        let late_retry = sqlx::query(LATE_RETRY)
            .bind(request.id.to_string())
            .bind(request.secret_hash.as_bytes().to_vec())
            .bind(generation)
            .bind(request.access_until.unix_millis())
            .bind(millis(request.grace))
            .bind(i64::from(request.max_running));
        let changed = self.pool.acquire().await?.fetch_optional(late_retry).await?;
        changed.as_ref().map(read_session).transpose()
    }

    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        let end = match selector {
            SessionSelector::ById { id } => end_query(END_BY_ID, reason).bind(id.to_string()),
            SessionSelector::ByToken { id, secret_hash } => end_query(END_BY_TOKEN, reason)
                .bind(id.to_string())
                .bind(secret_hash.as_bytes().to_vec()),
            SessionSelector::Owned { issuer, subject, id } => end_query(END_OWNED, reason)
                .bind(escape_nul(issuer))
                .bind(escape_nul(subject))
                .bind(id.to_string()),
        };
        let ended = self.pool.acquire().await?.fetch_optional(end).await?;
        let Some(ended) = ended else { return Ok(None) };
        self.notify_readers();
        Ok(Some(read_ended_session(&ended)?.1))
    }

    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        let limit = batch.limit.clamp(1, MAX_BATCH);
        let through = batch.through.map(row_number);
        let end = end_query(END_BATCH, batch.reason)
            .bind(escape_nul(batch.issuer))
            .bind(escape_nul(batch.subject))
            .bind(batch.after.map_or(i64::MIN, row_number))
            .bind(through)
            .bind(batch.keep.map(|keep| keep.to_string()).unwrap_or_default())
            .bind(row_limit(limit));
        let ended = self.pool.acquire().await?.fetch_all(end).await?;
        let through = match ended.first() {
            Some(row) => row.try_get("through").map_err(store_error)?,
            // No session ended, so there is no next batch that could use the value.
            None => through.unwrap_or_default(),
        };
        if !ended.is_empty() {
            self.notify_readers();
        }
        let ended = ended.iter().map(read_ended_session).collect::<Result<_, _>>()?;
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
        let list = sqlx::query(LIST)
            .bind(escape_nul(issuer))
            .bind(escape_nul(subject))
            .bind(after.map_or(i64::MIN, row_number))
            .bind(row_limit(limit.saturating_add(1)));
        session_page(&self.pool.acquire().await?.fetch_all(list).await?, limit)
    }

    async fn purge_sessions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let purge = sqlx::query(PURGE_SESSIONS).bind(millis(older_than)).bind(row_limit(limit));
        let purged = self.pool.acquire().await?.execute(purge).await?;
        Ok(row_count(purged.rows_affected()))
    }
}

fn end_query(sql: &'static str, reason: EndReason) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(sql).bind(reason.as_str())
}
