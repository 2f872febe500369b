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

use super::{PostgresStore, begin, now};
use crate::entry::read_ended;
use crate::error::store_error;
use crate::paging::{ended_batch, number, session_page};
use crate::row::{INSERT, bind_session, columns, count, millis, read_session, rows, run_length};
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
        let parts = new.record();
        let adding = bind_session(sqlx::query(INSERT), parts)?;
        let mut lease = self.desk.lend().await?;
        if limit.max().is_none() {
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
            if limit.rejects_new() && surplus > 0 {
                return Err(StoreError::Limit.into());
            }
            if surplus == 0 {
                return Ok(Vec::new());
            }
            let oldest = beside(OLDEST_BESIDE, surplus.min(SessionLimit::MAX_ENDED));
            let oldest = oldest.fetch_all(&mut *connection).await?;
            let these = ending(end_where!("number = ANY($2)"), EndReason::Limit);
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

    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        let mut lease = self.desk.lend().await?;
        let row = sqlx::query(LOAD).bind(id.to_string()).fetch_optional(&mut *lease).await;
        let Some(row) = lease.settle(row)? else { return Ok(None) };
        let now = Timestamp::from_unix_millis(row.try_get("now").map_err(store_error)?);
        Ok(Some(SessionSnapshot { session: read_session(&row)?, now }))
    }

    async fn advance(&self, step: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
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

    async fn late_retry(&self, retry: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
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
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        let this = match selector {
            SessionSelector::ById { id } => {
                ending(end_where!("id = $2"), reason).bind(id.to_string())
            }
            SessionSelector::ByToken { id, secret_hash } => {
                ending(end_where!("id = $2 AND secret_hash = $3"), reason)
                    .bind(id.to_string())
                    .bind(secret_hash.as_bytes().to_vec())
            }
            SessionSelector::Owned { issuer, subject, id } => {
                ending(end_where!("issuer = $2 AND subject = $3 AND id = $4"), reason)
                    .bind(to_table(issuer).into_owned())
                    .bind(to_table(subject).into_owned())
                    .bind(id.to_string())
            }
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

const LOCK_SUBJECT: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 8389754))";

/// The server's time, once for a statement.
macro_rules! with_now {
    () => {
        concat!("WITH time AS MATERIALIZED (SELECT ", now!(), " AS now) ")
    };
}

const LOAD: &str = concat!(
    "SELECT ",
    now!(),
    " AS now, ",
    columns!(),
    " FROM tower_jwt_auth_sessions WHERE id = $1"
);

/// The sessions of the subject `$2` of the issuer `$1` that have not been ended, by the index of subjects.
macro_rules! owned {
    ($issuer:literal, $subject:literal) => {
        concat!(
            "hashtextextended(subject, 0) = hashtextextended(",
            $subject,
            ", 0) AND subject = ",
            $subject,
            " AND issuer = ",
            $issuer,
            " AND ended_at IS NULL"
        )
    };
}

const LIST: &str = concat!(
    with_now!(),
    "SELECT number, ",
    columns!(),
    " FROM tower_jwt_auth_sessions, time WHERE ",
    owned!("$1", "$2"),
    " AND idle_until > now AND expires_at > now AND number > $3 ORDER BY number LIMIT $4"
);

/// The live sessions of a subject beside one.
macro_rules! beside {
    () => {
        concat!(
            "FROM tower_jwt_auth_sessions, time WHERE ",
            owned!("$1", "$2"),
            " AND idle_until > now AND expires_at > now AND id <> $3"
        )
    };
}

const COUNT_BESIDE: &str =
    concat!(with_now!(), "SELECT count(*) FROM (SELECT 1 ", beside!(), " LIMIT $4) AS live");

const OLDEST_BESIDE: &str =
    concat!(with_now!(), "SELECT number ", beside!(), " ORDER BY number LIMIT $4");

const ADVANCE: &str = concat!(
    with_now!(),
    "UPDATE tower_jwt_auth_sessions SET generation = generation + 1, rotated_at = now, \
     idle_until = LEAST(now + $4, expires_at), access_until = GREATEST(access_until, $5) \
     FROM time WHERE id = $1 AND secret_hash = $2 AND generation = $3 AND ended_at IS NULL \
     AND idle_until > now AND expires_at > now AND (generation = 0 OR rotated_at <= now - $6 OR rotated_at >= now + $6) \
     AND generation < 9223372036854775807 RETURNING ",
    columns!()
);

/// The last two conditions: this generation has not been retried late, and the run is not too long.
const LATE_RETRY: &str = concat!(
    with_now!(),
    "UPDATE tower_jwt_auth_sessions SET late_retry = $3, late_retry_length = ",
    run_length!(),
    ", rotated_at = now, access_until = GREATEST(access_until, $4) \
     FROM time WHERE id = $1 AND secret_hash = $2 AND generation - 1 = $3 AND ended_at IS NULL \
     AND idle_until > now AND expires_at > now AND (rotated_at <= now - $5 OR rotated_at >= now + $5) \
     AND (late_retry IS NULL OR late_retry < $3) AND ",
    run_length!(),
    " <= $6 RETURNING ",
    columns!()
);

const PURGE: &str = concat!(
    with_now!(),
    "DELETE FROM tower_jwt_auth_sessions WHERE ctid = ANY(ARRAY(\
         SELECT ctid FROM tower_jwt_auth_sessions \
         WHERE over_step <= (SELECT now - $1 FROM time) >> 26 \
         AND GREATEST(access_until, LEAST(ended_at, idle_until, expires_at)) \
             < (SELECT now - $1 FROM time) \
         ORDER BY over_step LIMIT $2 FOR UPDATE SKIP LOCKED))"
);

/// Ends the sessions that `chosen` selects by number and writes their log entries, in one statement and so in one
/// transaction. The rows are locked in one order, so that two that end the same ones do not wait for each other.
macro_rules! end_chosen {
    ($before:literal, $chosen:expr, $also:literal) => {
        concat!(
            "WITH ",
            $before,
            "chosen AS (",
            $chosen,
            "), ended AS (\
                 UPDATE tower_jwt_auth_sessions AS session SET end_reason = $1, ended_at = ",
            now!(),
            " FROM chosen WHERE session.number = chosen.number AND ended_at IS NULL \
                 RETURNING session.number, id, issuer, access_until\
             ), logged AS (\
                 INSERT INTO tower_jwt_auth_log (kind, issuer, name, until) \
                 SELECT 'session', issuer, id, access_until FROM ended ORDER BY number\
             ) \
             SELECT ",
            $also,
            "number, id, issuer, access_until FROM ended ORDER BY number"
        )
    };
}

use end_chosen;

/// Ends the sessions of which this is true.
macro_rules! end_where {
    ($condition:literal) => {
        end_chosen!(
            "",
            concat!(
                "SELECT number FROM tower_jwt_auth_sessions WHERE ended_at IS NULL AND ",
                $condition,
                " ORDER BY number FOR UPDATE"
            ),
            ""
        )
    };
}
use end_where;

const END_BATCH: &str = end_chosen!(
    "bound AS MATERIALIZED (\
         SELECT COALESCE($5::bigint, (SELECT max(number) FROM tower_jwt_auth_sessions), 0) \
             AS through\
     ), ",
    concat!(
        "SELECT number FROM tower_jwt_auth_sessions AS candidate WHERE ",
        owned!("$2", "$3"),
        " AND number > $4 AND number <= (SELECT through FROM bound) AND id <> $6 \
         ORDER BY number LIMIT $7 FOR UPDATE OF candidate"
    ),
    "(SELECT through FROM bound) AS through, "
);

type Ending = Query<'static, Postgres, PgArguments>;

fn ending(sql: &'static str, reason: EndReason) -> Ending {
    sqlx::query(sql).bind(reason.as_str())
}
