use sqlx::query::Query;
use sqlx::{ColumnIndex, Database, Decode, Encode, Row, Type};
use tower_jwt_auth_core::{
    ClientInfo, Ended, LateRetryRun, Revocation, SecretHash, Session, SessionRecord, StoreError,
    Timestamp,
};

use crate::convert::{to_i64, to_u64};
use crate::escape::{escape_nul, unescape_nul};
use crate::query_error::store_error;

/// The columns of a session, in the order in which [`bind_session`] binds them.
macro_rules! session_columns {
    () => {
        "id, issuer, subject, secret_hash, generation, created_at, rotated_at, idle_until, \
         expires_at, access_until, late_retry, late_retry_length, ended_at, end_reason, auth_time, \
         client_id, scope, claims, user_agent, address"
    };
}
pub(crate) use session_columns;

/// The length of the run of late retries that includes a late retry of the generation `$3`.
macro_rules! late_retry_run_length {
    () => {
        "(CASE WHEN late_retry = $3 - 1 THEN coalesce(late_retry_length, 1) + 1 ELSE 1 END)"
    };
}
pub(crate) use late_retry_run_length;

/// Inserts the session that [`bind_session`] binds, unless its ID exists.
pub(crate) const INSERT_SESSION: &str = concat!(
    "INSERT INTO tower_jwt_auth_sessions (",
    session_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
     $20) \
     ON CONFLICT (id) DO NOTHING"
);

/// Binds the columns of a session.
pub(crate) fn bind_session<'q, DB>(
    query: Query<'q, DB, <DB as Database>::Arguments>,
    record: &SessionRecord,
) -> Result<Query<'q, DB, <DB as Database>::Arguments>, StoreError>
where
    DB: Database,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
    for<'t> Option<i64>: Encode<'t, DB>,
    for<'t> String: Encode<'t, DB> + Type<DB>,
    for<'t> Option<String>: Encode<'t, DB>,
    for<'t> Vec<u8>: Encode<'t, DB> + Type<DB>,
{
    let SessionRecord { client_info, ended, .. } = record;
    Ok(query
        .bind(record.id.to_string())
        .bind(escape_nul(&record.issuer))
        .bind(escape_nul(&record.subject))
        .bind(record.secret_hash.as_bytes().to_vec())
        .bind(to_i64(record.generation)?)
        .bind(record.created_at.unix_millis())
        .bind(record.rotated_at.unix_millis())
        .bind(record.idle_until.unix_millis())
        .bind(record.expires_at.unix_millis())
        .bind(record.access_until.unix_millis())
        .bind(record.late_retry.map(|run| to_i64(run.generation)).transpose()?)
        .bind(record.late_retry.map(|run| i64::from(run.length)))
        .bind(ended.map(|ended| ended.at.unix_millis()))
        .bind(ended.map(|ended| ended.reason.as_str().to_owned()))
        .bind(record.auth_time.unix_millis())
        .bind(escape_nul(&record.client_id))
        .bind(escape_nul(&record.scope))
        .bind(escape_nul(&record.claims))
        .bind(client_info.user_agent().map(escape_nul))
        .bind(client_info.address().map(escape_nul)))
}

/// Reads a session from its columns.
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
    let text = |column| row.try_get(column).map(unescape_nul).map_err(store_error);
    let optional_number = |column| row.try_get::<Option<i64>, _>(column).map_err(store_error);
    let optional_text = |column| {
        let text: Option<String> = row.try_get(column).map_err(store_error)?;
        Ok::<_, StoreError>(text.map(unescape_nul))
    };

    let secret_hash: Vec<u8> = row.try_get("secret_hash").map_err(store_error)?;
    let secret_hash: [u8; 32] = secret_hash
        .try_into()
        .map_err(|_| StoreError::corrupt("the secret hash of a session is not 32 bytes long"))?;
    let run_length = optional_number("late_retry_length")?;
    let late_retry = optional_number("late_retry")?
        .map(|generation| {
            // Rows that were written with tables of version 1 have no length.
            let length = u32::try_from(run_length.unwrap_or(1)).map_err(StoreError::corrupt)?;
            Ok::<_, StoreError>(LateRetryRun { generation: to_u64(generation)?, length })
        })
        .transpose()?;
    let ended = optional_number("ended_at")?
        .map(|at| {
            let reason = optional_text("end_reason")?.unwrap_or_default();
            let reason = reason.parse().map_err(|_| {
                StoreError::corrupt(format!("the end reason {reason:?} is unknown"))
            })?;
            Ok::<_, StoreError>(Ended { at: Timestamp::from_unix_millis(at), reason })
        })
        .transpose()?;
    let mut client_info = ClientInfo::default();
    if let Some(user_agent) = optional_text("user_agent")? {
        client_info = client_info.with_user_agent(user_agent);
    }
    if let Some(address) = optional_text("address")? {
        client_info = client_info.with_address(address);
    }
    Ok(Session::from_record(SessionRecord {
        id: text("id")?.parse().map_err(StoreError::corrupt)?,
        issuer: text("issuer")?,
        subject: text("subject")?,
        secret_hash: SecretHash::from_bytes(secret_hash),
        generation: to_u64(number("generation")?)?,
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

/// Reads the number and the log entry of a session that was ended, from the columns `number`, `id`, `issuer` and
/// `access_until`.
pub(crate) fn read_ended_session<'r, R>(row: &'r R) -> Result<(i64, Revocation), StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let revocation = Revocation::Session {
        issuer: row.try_get("issuer").map(unescape_nul).map_err(store_error)?,
        sid: row.try_get("id").map_err(store_error)?,
        until: Timestamp::from_unix_millis(row.try_get("access_until").map_err(store_error)?),
    };
    Ok((row.try_get("number").map_err(store_error)?, revocation))
}
