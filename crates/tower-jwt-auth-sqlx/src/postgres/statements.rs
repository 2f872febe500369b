//! The SQL statements of the store. Times are those of the server.

use crate::session_row::{late_retry_run_length, session_columns};

/// Begins a transaction whose statements each see everything that was committed before them, whatever the database's
/// default is: a statement that waited for a lock must see the changes of the lock's holder.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// The time of the server, in milliseconds.
macro_rules! now {
    () => {
        "trunc(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

/// A common table expression with the time of the server, read once for the statement.
macro_rules! with_now {
    () => {
        concat!("WITH time AS MATERIALIZED (SELECT ", now!(), " AS now) ")
    };
}

/// The condition of sessions of a subject that were not ended. It uses the index of owners.
macro_rules! owned_by {
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

/// Serializes the sign-ins of the subject `$2` of the issuer `$1` until the end of the transaction.
pub(super) const LOCK_SUBJECT: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 8389754))";

pub(super) const LOAD: &str = concat!(
    "SELECT ",
    now!(),
    " AS now, ",
    session_columns!(),
    " FROM tower_jwt_auth_sessions WHERE id = $1"
);

pub(super) const LIST: &str = concat!(
    with_now!(),
    "SELECT number, ",
    session_columns!(),
    " FROM tower_jwt_auth_sessions, time WHERE ",
    owned_by!("$1", "$2"),
    " AND idle_until > now AND expires_at > now AND number > $3 ORDER BY number LIMIT $4"
);

/// The live sessions of a subject except the session `$3`.
macro_rules! from_other_live_sessions {
    () => {
        concat!(
            "FROM tower_jwt_auth_sessions, time WHERE ",
            owned_by!("$1", "$2"),
            " AND idle_until > now AND expires_at > now AND id <> $3"
        )
    };
}

pub(super) const COUNT_OTHERS: &str = concat!(
    with_now!(),
    "SELECT count(*) FROM (SELECT 1 ",
    from_other_live_sessions!(),
    " LIMIT $4) AS live"
);

pub(super) const OLDEST_OTHERS: &str = concat!(
    with_now!(),
    "SELECT number ",
    from_other_live_sessions!(),
    " ORDER BY number LIMIT $4"
);

pub(super) const ADVANCE: &str = concat!(
    with_now!(),
    "UPDATE tower_jwt_auth_sessions SET generation = generation + 1, rotated_at = now, \
     idle_until = LEAST(now + $4, expires_at), access_until = GREATEST(access_until, $5) \
     FROM time WHERE id = $1 AND secret_hash = $2 AND generation = $3 AND ended_at IS NULL \
     AND idle_until > now AND expires_at > now \
     AND (generation = 0 OR rotated_at <= now - $6 OR rotated_at >= now + $6) \
     AND generation < 9223372036854775807 RETURNING ",
    session_columns!()
);

/// The last two conditions: the generation has had no late retry, and the run does not exceed `$6`.
pub(super) const LATE_RETRY: &str = concat!(
    with_now!(),
    "UPDATE tower_jwt_auth_sessions SET late_retry = $3, late_retry_length = ",
    late_retry_run_length!(),
    ", rotated_at = now, access_until = GREATEST(access_until, $4) \
     FROM time WHERE id = $1 AND secret_hash = $2 AND generation - 1 = $3 AND ended_at IS NULL \
     AND idle_until > now AND expires_at > now \
     AND (rotated_at <= now - $5 OR rotated_at >= now + $5) \
     AND (late_retry IS NULL OR late_retry < $3) AND ",
    late_retry_run_length!(),
    " <= $6 RETURNING ",
    session_columns!()
);

pub(super) const PURGE_SESSIONS: &str = concat!(
    with_now!(),
    "DELETE FROM tower_jwt_auth_sessions WHERE ctid = ANY(ARRAY(\
         SELECT ctid FROM tower_jwt_auth_sessions \
         WHERE over_step <= (SELECT now - $1 FROM time) >> 26 \
         AND GREATEST(access_until, LEAST(ended_at, idle_until, expires_at)) \
             < (SELECT now - $1 FROM time) \
         ORDER BY over_step LIMIT $2 FOR UPDATE SKIP LOCKED))"
);

/// Ends the sessions whose numbers `$chosen` selects, for the reason `$1`, and appends their log entries. One
/// statement is one transaction. `$chosen` locks the rows in the order of their numbers, so that two statements that
/// end the same sessions do not deadlock.
macro_rules! end_chosen {
    ($with:literal, $chosen:expr, $returning:literal) => {
        concat!(
            "WITH ",
            $with,
            "chosen AS (",
            $chosen,
            "), ended AS (\
                 UPDATE tower_jwt_auth_sessions AS session SET end_reason = $1, ended_at = ",
            now!(),
            " FROM chosen WHERE session.number = chosen.number AND ended_at IS NULL \
                 RETURNING session.number, id, issuer, access_until\
             ), logged AS (\
                 INSERT INTO tower_jwt_auth_log (kind, issuer, target_id, until) \
                 SELECT 'session', issuer, id, access_until FROM ended ORDER BY number\
             ) \
             SELECT ",
            $returning,
            "number, id, issuer, access_until FROM ended ORDER BY number"
        )
    };
}

/// Ends the sessions that meet a condition.
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

pub(super) const END_BY_ID: &str = end_where!("id = $2");
pub(super) const END_BY_TOKEN: &str = end_where!("id = $2 AND secret_hash = $3");
pub(super) const END_OWNED: &str = end_where!("issuer = $2 AND subject = $3 AND id = $4");
pub(super) const END_NUMBERS: &str = end_where!("number = ANY($2)");

pub(super) const END_BATCH: &str = end_chosen!(
    "bound AS MATERIALIZED (\
         SELECT COALESCE($5::bigint, (SELECT max(number) FROM tower_jwt_auth_sessions), 0) \
             AS through\
     ), ",
    concat!(
        "SELECT number FROM tower_jwt_auth_sessions AS candidate WHERE ",
        owned_by!("$2", "$3"),
        " AND number > $4 AND number <= (SELECT through FROM bound) AND id <> $6 \
         ORDER BY number LIMIT $7 FOR UPDATE OF candidate"
    ),
    "(SELECT through FROM bound) AS through, "
);

/// Appends entries, and removes the former heartbeats of the same nodes.
pub(super) const APPEND: &str = "WITH new AS (\
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], \
             $6::bigint[]) AS new (kind, issuer, target_id, issued_before, beat, until)\
     ), replaced AS (\
         DELETE FROM tower_jwt_auth_log AS log USING new \
         WHERE new.kind = 'heartbeat' AND log.target_id = new.target_id AND log.kind = 'heartbeat'\
     ) \
     INSERT INTO tower_jwt_auth_log (kind, issuer, target_id, issued_before, beat, until) \
     SELECT * FROM new";

/// Reads at most `$5` entries that the snapshot `$1` does not contain, after the entry (`$3`, `$4`). Each row, and the
/// only row if there are no entries, also has the incarnation and the snapshot of this statement, and whether the
/// server is at or beyond the snapshot `$2`. There is no row if the run of the server has no incarnation yet. The
/// columns of the entry begin at [`READ_ENTRY_COLUMN`].
///
/// `LIMIT 1` is for the planner, which assumes that a table that was never analyzed is large. All that is the same in
/// each row is computed once.
///
/// The lower bound is one row comparison: given two bounds, PostgreSQL may begin at the lower one and read the whole
/// index. Numbers begin at 1.
pub(super) const READ: &str = "WITH state AS MATERIALIZED (\
         SELECT incarnation || '/' || extract(epoch FROM pg_postmaster_start_time()) AS incarnation, \
             pg_current_snapshot()::text AS snapshot, \
             pg_snapshot_xmax($2::text::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot()) \
                 AS is_known \
         FROM tower_jwt_auth_run LIMIT 1\
     ) \
     SELECT state.incarnation, state.snapshot, state.is_known, entry.xid::text AS xid, number, \
         kind, issuer, target_id, issued_before, beat, until \
     FROM state LEFT JOIN LATERAL (\
         SELECT xid, number, kind, issuer, target_id, issued_before, beat, until \
         FROM tower_jwt_auth_log \
         WHERE (xid, number) > (\
             GREATEST($3::text::xid8, pg_snapshot_xmin($1::text::pg_snapshot)), \
             CASE WHEN $3::text::xid8 >= pg_snapshot_xmin($1::text::pg_snapshot) \
                 THEN $4::bigint ELSE 0 END) \
         AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot) \
         ORDER BY xid, number LIMIT $5\
     ) AS entry ON TRUE ORDER BY entry.xid, entry.number";
/// The column of [`READ`] at which those of the entry begin.
pub(super) const READ_ENTRY_COLUMN: usize = 5;

/// Gives this run of the server an incarnation if it has none. Of concurrent calls one does.
pub(super) const BEGIN_RUN: &str =
    "INSERT INTO tower_jwt_auth_run DEFAULT VALUES ON CONFLICT DO NOTHING";

pub(super) const IS_REVOKED: &str = "SELECT EXISTS (\
         SELECT FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) \
             AS key (kind, issuer, target_id, issued_at) \
         JOIN tower_jwt_auth_log AS log USING (target_id, issuer, kind) \
         WHERE key.issued_at IS NULL OR key.issued_at < log.issued_before\
     )";

/// The time is a subquery, which is evaluated once. Compared with the volatile function itself, every row would have
/// to be read.
pub(super) const PURGE_LOG: &str = concat!(
    "DELETE FROM tower_jwt_auth_log WHERE ctid = ANY(ARRAY(\
         SELECT ctid FROM tower_jwt_auth_log WHERE until < (SELECT ",
    now!(),
    " - $1) ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED))"
);

pub(super) const DELETE_RUN: &str = "DELETE FROM tower_jwt_auth_run";

/// Gives all log entries a transaction ID of this server. Those of the server that wrote them have no meaning here.
pub(super) const RENEW_XIDS: &str = "UPDATE tower_jwt_auth_log SET xid = pg_current_xact_id()";

/// Ends all sessions for the reason `$1`. The access tokens that were issued after the backup live as long as those
/// that the sessions know of.
pub(super) const END_ALL: &str = concat!(
    with_now!(),
    ", ended AS (\
         UPDATE tower_jwt_auth_sessions SET ended_at = now, end_reason = $1, \
             access_until = GREATEST(access_until, now + access_until - rotated_at) \
         FROM time WHERE ended_at IS NULL RETURNING id, issuer, access_until\
     ), logged AS (\
         INSERT INTO tower_jwt_auth_log (kind, issuer, target_id, until) \
         SELECT 'session', issuer, id, access_until FROM ended\
     ) \
     SELECT count(*) FROM ended"
);

/// Sets up a connection and returns whether the server is a standby. An acknowledged commit is on disk, an abandoned
/// statement or transaction ends soon, and no statement is compiled just in time, since none of them is long enough.
/// The parameters are the timeouts of statements and of idle transactions.
pub(super) const SET_UP: &str = "SELECT pg_is_in_recovery(), \
     set_config('default_transaction_isolation', 'read committed', false), \
     set_config('synchronous_commit', CASE current_setting('synchronous_commit') \
         WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false), \
     set_config('default_transaction_read_only', 'off', false), \
     set_config('jit', 'off', false), \
     set_config('statement_timeout', $1, false), \
     set_config('idle_in_transaction_session_timeout', $2, false)";
