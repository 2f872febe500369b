//! SQLite: one file, for the processes of one machine.

mod log;
mod open;
mod sessions;
mod watch;

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;
use sqlx::{SqlSafeStr as _, SqlStr, Sqlite};
use tower_jwt_auth_core::{ChangeSignal, Clock, EndReason, StoreError, SystemClock};

use crate::Migration;
use crate::desk::Desk;
use crate::error::ConnectError;
use crate::row::count;
use crate::task::Task;

/// Sessions and revocations in a SQLite file: they outlive the process, and several processes of one machine
/// may share them.
///
/// The file is in WAL mode and each write is synced before it is acknowledged. It must be on a local disk:
/// SQLite's locks do not hold over network file systems.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{SessionId, SessionStore};
/// use tower_jwt_auth_sqlx::SqliteStore;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?; let path = directory.path().join("sessions.db");
/// let store = SqliteStore::open(path).await?;
/// assert!(store.load(SessionId::random()?).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    clock: Arc<dyn Clock>,
    /// One connection: SQLite has one writer at a time, and a queue in memory is fairer than its locks.
    writer: Desk<Sqlite>,
    readers: Desk<Sqlite>,
    signal: Arc<ChangeSignal>,
    _watch: Task,
}

impl SqliteStore {
    /// The migrations of the tables, for an application that runs them itself and then calls
    /// [`open_existing`](Self::open_existing).
    pub const MIGRATIONS: &'static [Migration] = &[
        Migration { version: 1, sql: include_str!("../../migrations/sqlite/0001_sessions.sql") },
        Migration {
            version: 2,
            sql: include_str!("../../migrations/sqlite/0002_late_retries.sql"),
        },
    ];

    /// Opens this file and brings its tables up to date. A file that is not there is made, for its owner
    /// alone to read and write.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], which says what to change.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, ConnectError> {
        open::make_file(path.as_ref())?;
        let writer = open::writer(path.as_ref()).await?;
        open::migrate(&writer).await?;
        Self::start(path.as_ref(), writer).await
    }

    /// Opens this file, where an application has made the tables.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], which says what to change.
    pub async fn open_existing(path: impl AsRef<Path>) -> Result<Self, ConnectError> {
        let writer = open::writer(path.as_ref()).await?;
        open::check(&writer).await?;
        Self::start(path.as_ref(), writer).await
    }

    async fn start(path: &Path, writer: sqlx::SqlitePool) -> Result<Self, ConnectError> {
        let signal = Arc::new(ChangeSignal::new());
        let watched = open::watcher(path).await?;
        Ok(Self {
            clock: Arc::new(SystemClock::new()),
            writer: Desk::new(writer),
            readers: Desk::new(open::readers(path)),
            signal: Arc::clone(&signal),
            _watch: Task::start(watch::watch(watched, signal)),
        })
    }

    /// Ends all sessions and starts the log anew; tells how many sessions it ended.
    ///
    /// To be called once after the file has been restored from a backup, before anyone is served: sessions
    /// that were ended since the backup live again in it. Whoever follows the log reads all of it again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not certain whether it happened.
    pub async fn after_restore(&self) -> Result<usize, StoreError> {
        let lease = self.writer.lend().await?;
        let now = self.clock.now().unix_millis();
        let ending = async |connection: &mut SqliteConnection| {
            sqlx::query(RENEW).execute(&mut *connection).await?;
            sqlx::query(PROLONG_ALL).bind(now).execute(&mut *connection).await?;
            sqlx::query(LOG_ALL).execute(&mut *connection).await?;
            let ended = sqlx::query(END_ALL).bind(now).bind(EndReason::Logout.as_str());
            Ok(ended.execute(connection).await?.rows_affected())
        };
        let ended = lease.transaction(begin(), ending).await?;
        self.signal.notify();
        Ok(count(ended))
    }
}

/// A transaction has the lock for writing from its start: one that gets it later may find that what it has
/// read is no longer so.
fn begin() -> SqlStr {
    "BEGIN IMMEDIATE".into_sql_str()
}

const RENEW: &str = "UPDATE tower_jwt_auth_meta SET incarnation = lower(hex(randomblob(16)))";
/// The access tokens that were made since the backup live as long as those that the rows know of.
const PROLONG_ALL: &str = "UPDATE tower_jwt_auth_sessions \
     SET access_until = max(access_until, $1 + access_until - rotated_at) WHERE ended_at IS NULL";
const LOG_ALL: &str = "INSERT INTO tower_jwt_auth_log (kind, issuer, name, until) \
     SELECT 'session', issuer, id, access_until FROM tower_jwt_auth_sessions \
     WHERE ended_at IS NULL";
const END_ALL: &str = "UPDATE tower_jwt_auth_sessions SET ended_at = $1, end_reason = $2 \
     WHERE ended_at IS NULL";

/// How SQLite goes about a statement on our tables, for tests.
#[cfg(test)]
async fn plan(sql: &'static str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("sessions.db")).await.unwrap();
    let mut lease = store.readers.lend().await.unwrap();
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(explain).fetch_all(&mut *lease).await.unwrap();
    rows.into_iter().map(|row| row.3).collect::<Vec<_>>().join("; ")
}
