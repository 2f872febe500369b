use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};
use tower_jwt_auth_core::{
    Advance, EndBatch, EndReason, EndedBatch, LateRetry, Loaded, Revocation, Session, SessionId,
    SessionLimit, SessionPage, SessionPosition, SessionStore, StoreError, Timestamp, Which,
};

use super::statements::{
    ADVANCE, COUNT_BESIDE, END_BATCH, END_NUMBERS, END_ONE, END_OWNED, END_PRESENTED, LATE_RETRY,
    LIST, LOAD, LOCK_SUBJECT, OLDEST_BESIDE, PURGE,
};
use super::{PostgresStore, begin};
use crate::entry::read_ended;
use crate::error::store_error;
use crate::paging::{ended_batch, number, session_page};
use crate::row::{INSERT, bind_session, count, millis, read_session, rows};
use crate::text::to_table;

/// How many sessions end in one statement.
const MAX_BATCH: usize = 32;

#[async_trait]
impl SessionStore for PostgresStore {
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        let parts = new.parts();
        let adding = bind_session(sqlx::query(INSERT), parts)?;
        let mut lease = self.desk.lend().await?;
        if limit.most().is_none() {
            let added = adding.execute(&mut *lease).await;
            return match lease.settle(added)?.rows_affected() {
                0 => Err(StoreError::Conflict),
                _ => Ok(Vec::new()),
            };
        }
        let text = |text: &str| to_table(text).into_owned();
        let (issuer, subject) = (text(&parts.issuer), text(&parts.subject));
        let inserting = async |connection: &mut PgConnection| {
            // Sign-ins of one subject come one after the other; each statement sees what was done before it.
            let alone = sqlx::query(LOCK_SUBJECT).bind(issuer.clone()).bind(subject.clone());
            alone.execute(&mut *connection).await?;
            if adding.execute(&mut *connection).await?.rows_affected() == 0 {
                return Err(StoreError::Conflict.into());
            }
            let beside = |sql, most: usize| {
                sqlx::query_scalar::<_, i64>(sql)
                    .bind(issuer.clone())
                    .bind(subject.clone())
                    .bind(parts.id.to_string())
                    .bind(rows(most))
            };
            let live = beside(COUNT_BESIDE, limit.max_counted()).fetch_one(&mut *connection);
            let surplus = limit.surplus(usize::try_from(live.await?).unwrap_or_default());
            if limit.refuses() && surplus > 0 {
                return Err(StoreError::Limit.into());
            }
            if surplus == 0 {
                return Ok(Vec::new());
            }
            let oldest = beside(OLDEST_BESIDE, surplus.min(SessionLimit::MAX_ENDED));
            let oldest = oldest.fetch_all(&mut *connection).await?;
            let these = ending(END_NUMBERS, EndReason::Limit);
            let ended = these.bind(oldest).fetch_all(connection).await?;
            let ended = ended.iter().map(|row| Ok(read_ended(row)?.1));
            Ok(ended.collect::<Result<Vec<_>, StoreError>>()?)
        };
        let ended = lease.transaction(begin(), inserting).await?;
        if !ended.is_empty() {
            self.announce();
        }
        Ok(ended)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let mut lease = self.desk.lend().await?;
        let row = sqlx::query(LOAD).bind(id.to_string()).fetch_optional(&mut *lease).await;
        let Some(row) = lease.settle(row)? else { return Ok(None) };
        let now = Timestamp::from_unix_millis(row.try_get("now").map_err(store_error)?);
        Ok(Some(Loaded { session: read_session(&row)?, now }))
    }

    async fn advance(&self, step: &Advance) -> Result<Option<Session>, StoreError> {
        // No row has a generation beyond what its column can hold.
        let Ok(generation) = i64::try_from(step.from_generation) else { return Ok(None) };
        let mut lease = self.desk.lend().await?;
        let changed = sqlx::query(ADVANCE)
            .bind(step.id.to_string())
            .bind(step.secret_hash.as_bytes().to_vec())
            .bind(generation)
            .bind(millis(step.idle))
            .bind(step.access_until.unix_millis())
            .bind(millis(step.grace))
            .fetch_optional(&mut *lease)
            .await;
        lease.settle(changed)?.as_ref().map(read_session).transpose()
    }

    async fn late_retry(&self, retry: &LateRetry) -> Result<Option<Session>, StoreError> {
        let Ok(generation) = i64::try_from(retry.generation) else { return Ok(None) };
        let mut lease = self.desk.lend().await?;
        let changed = sqlx::query(LATE_RETRY)
            .bind(retry.id.to_string())
            .bind(retry.secret_hash.as_bytes().to_vec())
            .bind(generation)
            .bind(retry.access_until.unix_millis())
            .bind(millis(retry.grace))
            .bind(i64::from(retry.max_running))
            .fetch_optional(&mut *lease)
            .await;
        lease.settle(changed)?.as_ref().map(read_session).transpose()
    }

    async fn end(
        &self,
        which: &Which<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        let this = match which {
            Which::One { id } => ending(END_ONE, reason).bind(id.to_string()),
            Which::Presented { id, secret_hash } => ending(END_PRESENTED, reason)
                .bind(id.to_string())
                .bind(secret_hash.as_bytes().to_vec()),
            Which::Owned { issuer, subject, id } => ending(END_OWNED, reason)
                .bind(to_table(issuer).into_owned())
                .bind(to_table(subject).into_owned())
                .bind(id.to_string()),
        };
        let mut lease = self.desk.lend().await?;
        let ended = this.fetch_optional(&mut *lease).await;
        let Some(ended) = lease.settle(ended)? else { return Ok(None) };
        self.announce();
        Ok(Some(read_ended(&ended)?.1))
    }

    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        let limit = batch.limit.clamp(1, MAX_BATCH);
        let through = batch.through.map(number);
        let these = ending(END_BATCH, batch.reason)
            .bind(to_table(batch.issuer).into_owned())
            .bind(to_table(batch.subject).into_owned())
            .bind(batch.after.map_or(i64::MIN, number))
            .bind(through)
            .bind(batch.keep.map(|keep| keep.to_string()).unwrap_or_default())
            .bind(rows(limit));
        let mut lease = self.desk.lend().await?;
        let ended = these.fetch_all(&mut *lease).await;
        let ended = lease.settle(ended)?;
        let through = match ended.first() {
            Some(row) => row.try_get("through").map_err(store_error)?,
            // There is nothing to end, and so no next batch.
            None => through.unwrap_or_default(),
        };
        if !ended.is_empty() {
            self.announce();
        }
        ended_batch(ended.iter().map(read_ended).collect::<Result<_, _>>()?, through, limit)
    }

    async fn list(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        limit: usize,
    ) -> Result<SessionPage, StoreError> {
        let limit = limit.max(1);
        let mut lease = self.desk.lend().await?;
        let listed = sqlx::query(LIST)
            .bind(to_table(issuer).into_owned())
            .bind(to_table(subject).into_owned())
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
        let mut lease = self.desk.lend().await?;
        let purging = sqlx::query(PURGE).bind(millis(older_than)).bind(rows(limit));
        let purged = purging.execute(&mut *lease).await;
        Ok(count(lease.settle(purged)?.rows_affected()))
    }
}

type Ending = Query<'static, Postgres, PgArguments>;

fn ending(sql: &'static str, reason: EndReason) -> Ending {
    sqlx::query(sql).bind(reason.as_str())
}
