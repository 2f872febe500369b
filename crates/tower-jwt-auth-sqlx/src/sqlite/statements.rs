//! The SQL statements of the store. Times are parameters, from the clock of the process.

use crate::session_row::{late_retry_run_length, session_columns};

/// Begins a transaction that holds the write lock from its start. A transaction that takes the lock later fails if
/// another process has written since its first read.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

pub(super) const LOAD: &str =
    concat!("SELECT ", session_columns!(), " FROM tower_jwt_auth_sessions WHERE id = $1");

pub(super) const LIST: &str = concat!(
    "SELECT number, ",
    session_columns!(),
    " FROM tower_jwt_auth_sessions WHERE subject = $2 AND issuer = $1 AND ended_at IS NULL \
     AND idle_until > $3 AND expires_at > $3 AND number > $4 ORDER BY number LIMIT $5"
);

/// The live sessions of a subject except the session `$4`.
macro_rules! from_other_live_sessions {
    () => {
        "FROM tower_jwt_auth_sessions \
         WHERE subject = $2 AND issuer = $1 AND ended_at IS NULL AND idle_until > $3 \
         AND expires_at > $3 AND id <> $4"
    };
}

pub(super) const COUNT_OTHERS: &str =
    concat!("SELECT count(*) FROM (SELECT 1 ", from_other_live_sessions!(), " LIMIT $5)");

pub(super) const OLDEST_OTHERS: &str =
    concat!("SELECT number ", from_other_live_sessions!(), " ORDER BY number LIMIT $5");

/// Returns the number of the last session.
pub(super) const LAST_NUMBER: &str = "SELECT coalesce(max(number), 0) FROM tower_jwt_auth_sessions";

pub(super) const ADVANCE: &str = concat!(
    "UPDATE tower_jwt_auth_sessions SET generation = generation + 1, rotated_at = $4, \
     idle_until = min($5, expires_at), access_until = max(access_until, $6) \
     WHERE id = $1 AND secret_hash = $2 AND generation = $3 AND ended_at IS NULL \
     AND idle_until > $4 AND expires_at > $4 \
     AND (generation = 0 OR rotated_at <= $7 OR rotated_at >= $8) \
     AND generation < 9223372036854775807 RETURNING ",
    session_columns!()
);

/// The last two conditions: the generation has had no late retry, and the run does not exceed `$7`.
pub(super) const LATE_RETRY: &str = concat!(
    "UPDATE tower_jwt_auth_sessions SET late_retry = $3, late_retry_length = ",
    late_retry_run_length!(),
    ", rotated_at = $4, access_until = max(access_until, $5) \
     WHERE id = $1 AND secret_hash = $2 AND generation - 1 = $3 AND ended_at IS NULL \
     AND idle_until > $4 AND expires_at > $4 AND (rotated_at <= $6 OR rotated_at >= $8) \
     AND (late_retry IS NULL OR late_retry < $3) AND ",
    late_retry_run_length!(),
    " <= $7 RETURNING ",
    session_columns!()
);

/// The last row stays: SQLite would give its number to the next session, which a batch may be about to reach.
///
/// The unary plus keeps SQLite from reading the table by that number (SQLite, "The SQLite Query Optimizer Overview",
/// "Disqualifying WHERE Clause Terms Using Unary +").
pub(super) const PURGE_SESSIONS: &str = "DELETE FROM tower_jwt_auth_sessions WHERE number IN (\
     SELECT number FROM tower_jwt_auth_sessions \
     WHERE over_at >> 26 <= $1 >> 26 AND over_at < $1 \
     AND +number < (SELECT max(number) FROM tower_jwt_auth_sessions) LIMIT $2)";

/// Ends the sessions that meet a condition, at the time `$1` for the reason `$2`.
macro_rules! end_where {
    ($condition:expr) => {
        concat!(
            "UPDATE tower_jwt_auth_sessions SET ended_at = $1, end_reason = $2 WHERE ",
            $condition,
            " AND ended_at IS NULL RETURNING number, id, issuer, access_until"
        )
    };
}

pub(super) const END_BY_ID: &str = end_where!("id = $3");
pub(super) const END_BY_TOKEN: &str = end_where!("id = $3 AND secret_hash = $4");
pub(super) const END_OWNED: &str = end_where!("issuer = $3 AND subject = $4 AND id = $5");
pub(super) const END_NUMBER: &str = end_where!("number = $3");

/// The sessions of a batch.
macro_rules! from_batch {
    () => {
        "FROM tower_jwt_auth_sessions \
         WHERE subject = $4 AND issuer = $3 AND ended_at IS NULL AND number > $5 AND number <= $6 \
         AND id <> $7 ORDER BY number LIMIT $8"
    };
}

pub(super) const LOG_BATCH: &str = concat!(
    "INSERT INTO tower_jwt_auth_log (kind, issuer, target_id, until) \
     SELECT 'session', issuer, id, access_until ",
    from_batch!()
);

pub(super) const END_BATCH: &str =
    end_where!(concat!("number IN (SELECT number ", from_batch!(), ")"));

pub(super) const APPEND: &str = "INSERT INTO tower_jwt_auth_log (kind, issuer, target_id, issued_before, beat, until) \
     VALUES ($1, $2, $3, $4, $5, $6)";

/// Removes the former heartbeats of a node.
pub(super) const DELETE_HEARTBEATS: &str =
    "DELETE FROM tower_jwt_auth_log WHERE target_id = $1 AND kind = 'heartbeat'";

/// Reads at most `$2` entries after the entry `$1`. Each row, and the only row if there are no entries, also has the
/// incarnation of the log and the number of its last entry.
pub(super) const READ: &str = "SELECT meta.incarnation, \
     coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tower_jwt_auth_log'), 0) AS last, \
     log.number, log.kind, log.issuer, log.target_id, log.issued_before, log.beat, log.until \
     FROM tower_jwt_auth_meta AS meta LEFT JOIN tower_jwt_auth_log AS log ON log.number > $1 \
     ORDER BY log.number LIMIT $2";
/// The column of [`READ`] at which those of the entry begin.
pub(super) const READ_ENTRY_COLUMN: usize = 3;

pub(super) const IS_REVOKED: &str = "SELECT 1 FROM tower_jwt_auth_log \
     WHERE target_id = $3 AND issuer = $2 AND kind = $1 AND ($4 IS NULL OR $4 < issued_before) LIMIT 1";

pub(super) const PURGE_LOG: &str = "DELETE FROM tower_jwt_auth_log WHERE number IN (\
     SELECT number FROM tower_jwt_auth_log WHERE until < $1 ORDER BY until LIMIT $2)";

/// Starts a new incarnation of the log.
pub(super) const RENEW_INCARNATION: &str =
    "UPDATE tower_jwt_auth_meta SET incarnation = lower(hex(randomblob(16)))";

/// Extends the end of the access tokens of all sessions. The tokens that were issued after the backup live as long as
/// those that the sessions know of.
pub(super) const EXTEND_ALL: &str = "UPDATE tower_jwt_auth_sessions \
     SET access_until = max(access_until, $1 + access_until - rotated_at) WHERE ended_at IS NULL";

pub(super) const LOG_ALL: &str = "INSERT INTO tower_jwt_auth_log (kind, issuer, target_id, until) \
     SELECT 'session', issuer, id, access_until FROM tower_jwt_auth_sessions \
     WHERE ended_at IS NULL";

pub(super) const END_ALL: &str = "UPDATE tower_jwt_auth_sessions SET ended_at = $1, end_reason = $2 \
     WHERE ended_at IS NULL";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::store::SqliteStore;

    /// Returns SQLite's query plan for a statement.
    async fn plan(sql: &'static str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("sessions.db")).await.unwrap();
        let mut connection = store.readers.acquire().await.unwrap();
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let rows: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).fetch_all(&mut *connection).await.unwrap();
        rows.into_iter().map(|row| row.3).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn sessions_are_found_by_index() {
        for (sql, index) in [
            (LIST, "tower_jwt_auth_sessions_subject (subject=? AND rowid>?)"),
            (COUNT_OTHERS, "tower_jwt_auth_sessions_subject (subject=?)"),
            (OLDEST_OTHERS, "tower_jwt_auth_sessions_subject (subject=?)"),
            (LOG_BATCH, "tower_jwt_auth_sessions_subject (subject=? AND rowid>? AND rowid<?)"),
            (END_BATCH, "tower_jwt_auth_sessions_subject (subject=? AND rowid>? AND rowid<?)"),
            (PURGE_SESSIONS, "tower_jwt_auth_sessions_over (<expr><?)"),
            (ADVANCE, "sqlite_autoindex_tower_jwt_auth_sessions_1 (id=?)"),
        ] {
            let plan = plan(sql).await;
            assert!(plan.contains(index), "{sql}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }

    #[tokio::test]
    async fn log_entries_are_found_by_index() {
        for (sql, index) in [
            (IS_REVOKED, "tower_jwt_auth_log_target (target_id=?)"),
            (PURGE_LOG, "tower_jwt_auth_log_until (until<?)"),
            (READ, "INTEGER PRIMARY KEY (rowid>?)"),
        ] {
            let plan = plan(sql).await;
            assert!(plan.contains(index), "{sql}: {plan}");
        }
    }
}
