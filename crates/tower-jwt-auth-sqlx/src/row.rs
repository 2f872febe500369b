//! Sessions as rows.

#[cfg(feature = "postgres")]
use std::time::Duration;

use sqlx::query::Query;
use sqlx::{ColumnIndex, Database, Decode, Encode, Row, Type};
use tower_jwt_auth_core::{
    ClientInfo, Ended, LateRetryRun, SecretHash, Session, SessionRecord, StoreError, Timestamp,
};

use crate::error::store_error;
use crate::text::{from_table, to_table};

/// The columns of a session, in the order in which [`bind_session`] binds them.
macro_rules! columns {
    () => {
        "id, issuer, subject, secret_hash, generation, created_at, rotated_at, idle_until, \
         expires_at, access_until, late_retry, late_retry_length, ended_at, end_reason, auth_time, \
         client_id, scope, claims, user_agent, address"
    };
}
pub(crate) use columns;

/// The length of the run of late retries that a retry of the generation `$3` makes.
macro_rules! run_length {
    () => {
        "(CASE WHEN late_retry = $3 - 1 THEN coalesce(late_retry_length, 1) + 1 ELSE 1 END)"
    };
}
pub(crate) use run_length;

/// Adds the session that [`bind_session`] binds, unless there is one of that name.
pub(crate) const INSERT: &str = concat!(
    "INSERT INTO tower_jwt_auth_sessions (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
     $20) \
     ON CONFLICT (id) DO NOTHING"
);

/// A number as the tables keep it.
pub(crate) fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(StoreError::corrupt)
}

/// A number as the tables kept it.
pub(crate) fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(StoreError::corrupt)
}

/// Milliseconds, few enough to be added to any time of these centuries.
#[cfg(feature = "postgres")]
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

/// How many rows to ask for.
pub(crate) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// How many rows there were.
pub(crate) fn count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

type Filled<'q, DB> = Query<'q, DB, <DB as Database>::Arguments>;

/// Binds all parts of a session in the order of its columns.
pub(crate) fn bind_session<'q, DB>(
    query: Filled<'q, DB>,
    parts: &SessionRecord,
) -> Result<Filled<'q, DB>, StoreError>
where
    DB: Database,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
    for<'t> Option<i64>: Encode<'t, DB>,
    for<'t> String: Encode<'t, DB> + Type<DB>,
    for<'t> Option<String>: Encode<'t, DB>,
    for<'t> Vec<u8>: Encode<'t, DB> + Type<DB>,
{
    let text = |text: &str| to_table(text).into_owned();
    let SessionRecord { client_info, ended, .. } = parts;
    Ok(query
        .bind(parts.id.to_string())
        .bind(text(&parts.issuer))
        .bind(text(&parts.subject))
        .bind(parts.secret_hash.as_bytes().to_vec())
        .bind(signed(parts.generation)?)
        .bind(parts.created_at.unix_millis())
        .bind(parts.rotated_at.unix_millis())
        .bind(parts.idle_until.unix_millis())
        .bind(parts.expires_at.unix_millis())
        .bind(parts.access_until.unix_millis())
        .bind(parts.late_retry.map(|run| signed(run.generation)).transpose()?)
        .bind(parts.late_retry.map(|run| i64::from(run.length)))
        .bind(ended.map(|ended| ended.at.unix_millis()))
        .bind(ended.map(|ended| ended.reason.as_str().to_owned()))
        .bind(parts.auth_time.unix_millis())
        .bind(text(&parts.client_id))
        .bind(text(&parts.scope))
        .bind(text(&parts.claims))
        .bind(client_info.user_agent().map(text))
        .bind(client_info.address().map(text)))
}

/// The session of this row.
pub(crate) fn read_session<'r, R>(row: &'r R) -> Result<Session, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |column| row.try_get::<i64, _>(column).map_err(store_error);
    let time = |column| number(column).map(Timestamp::from_unix_millis);
    let text = |column| row.try_get(column).map(from_table).map_err(store_error);
    let optional = |column| {
        let text: Option<String> = row.try_get(column).map_err(store_error)?;
        Ok::<_, StoreError>(text.map(from_table))
    };

    let secret_hash: Vec<u8> = row.try_get("secret_hash").map_err(store_error)?;
    let secret_hash: [u8; 32] = secret_hash
        .try_into()
        .map_err(|_| StoreError::corrupt("the hash of a session's secret has another length"))?;
    let retried: Option<i64> = row.try_get("late_retry").map_err(store_error)?;
    let length: Option<i64> = row.try_get("late_retry_length").map_err(store_error)?;
    let late_retry = retried
        .map(|generation| {
            // A node of the release before knows no runs.
            let length = u32::try_from(length.unwrap_or(1)).map_err(StoreError::corrupt)?;
            Ok::<_, StoreError>(LateRetryRun { generation: unsigned(generation)?, length })
        })
        .transpose()?;
    let ended_at: Option<i64> = row.try_get("ended_at").map_err(store_error)?;
    let ended = ended_at
        .map(|at| {
            let reason = optional("end_reason")?.unwrap_or_default();
            let reason = reason
                .parse()
                .map_err(|_| StoreError::corrupt(format!("a session was ended for {reason:?}")))?;
            Ok::<_, StoreError>(Ended { at: Timestamp::from_unix_millis(at), reason })
        })
        .transpose()?;
    let mut client_info = ClientInfo::default();
    if let Some(user_agent) = optional("user_agent")? {
        client_info = client_info.with_user_agent(user_agent);
    }
    if let Some(address) = optional("address")? {
        client_info = client_info.with_address(address);
    }
    Ok(Session::from_record(SessionRecord {
        id: text("id")?.parse().map_err(StoreError::corrupt)?,
        issuer: text("issuer")?,
        subject: text("subject")?,
        secret_hash: SecretHash::from_bytes(secret_hash),
        generation: unsigned(number("generation")?)?,
        created_at: time("created_at")?,
        rotated_at: time("rotated_at")?,
        idle_until: time("idle_until")?,
        expires_at: time("expires_at")?,
        access_until: time("access_until")?,
        late_retry,
        ended,
        auth_time: time("auth_time")?,
        client_id: text("client_id")?,
        scope: text("scope")?,
        claims: text("claims")?,
        client_info,
    }))
}
