//! The statements of the store of sessions.

use super::now;
use crate::row::{columns, run_length};

pub(super) const LOCK_SUBJECT: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 8389754))";

/// The server's time, once for a statement.
macro_rules! with_now {
    () => {
        concat!("WITH time AS MATERIALIZED (SELECT ", now!(), " AS now) ")
    };
}

pub(super) const LOAD: &str = concat!(
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

pub(super) const LIST: &str = concat!(
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

pub(super) const COUNT_BESIDE: &str =
    concat!(with_now!(), "SELECT count(*) FROM (SELECT 1 ", beside!(), " LIMIT $4) AS live");

pub(super) const OLDEST_BESIDE: &str =
    concat!(with_now!(), "SELECT number ", beside!(), " ORDER BY number LIMIT $4");

pub(super) const ADVANCE: &str = concat!(
    with_now!(),
    "UPDATE tower_jwt_auth_sessions SET generation = generation + 1, rotated_at = now, \
     idle_until = LEAST(now + $4, expires_at), access_until = GREATEST(access_until, $5) \
     FROM time WHERE id = $1 AND secret_hash = $2 AND generation = $3 AND ended_at IS NULL \
     AND idle_until > now AND expires_at > now AND (generation = 0 OR rotated_at <= now - $6 OR rotated_at >= now + $6) \
     AND generation < 9223372036854775807 RETURNING ",
    columns!()
);

/// The last two conditions: this generation has not been retried late, and the run is not too long.
pub(super) const LATE_RETRY: &str = concat!(
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

pub(super) const PURGE: &str = concat!(
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

pub(super) const END_ONE: &str = end_where!("id = $2");

pub(super) const END_PRESENTED: &str = end_where!("id = $2 AND secret_hash = $3");

pub(super) const END_OWNED: &str = end_where!("issuer = $2 AND subject = $3 AND id = $4");

pub(super) const END_NUMBERS: &str = end_where!("number = ANY($2)");

pub(super) const END_BATCH: &str = end_chosen!(
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
