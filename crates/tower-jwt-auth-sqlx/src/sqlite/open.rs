//! Opening the file and making the tables.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::error::DatabaseError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, SqlitePool};
use tokio::time::sleep;

use super::SqliteStore;
use crate::error::ConnectError;
use crate::{check_version, to_come};

/// How long a write waits for other processes, shorter than anyone waits for the store.
const BUSY: Duration = Duration::from_secs(4);
/// How many connections read.
const READERS: u32 = 4;

fn options(path: &Path) -> SqliteConnectOptions {
    // SQLite takes some names for more than names: `:memory:`, and those that begin with `file:`.
    let path = if path.is_relative() { Path::new(".").join(path) } else { path.to_owned() };
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .disable_statement_logging()
}

/// Creates the file, for its owner alone, if it does not exist.
///
/// The file has its mode from the call that creates it, before SQLite opens it, so there is no moment at which
/// others can open it. SQLite gives `-wal` and `-shm` the mode of the file.
pub(super) fn make_file(path: &Path) -> Result<(), ConnectError> {
    let mut make = OpenOptions::new();
    make.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut make, 0o600);
    match make.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(ConnectError::File(error.into())),
    }
}

/// Warns if the mode of an existing file lets other users of the machine read or write it. The `-wal` file holds the
/// same data, and keeps its mode if only that of the main file is changed.
#[cfg(unix)]
fn warn_if_shared(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    // Where the path is a symbolic link, SQLite puts the other files beside the target.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.clone().into_os_string();
        file.push(suffix);
        let Ok(metadata) = std::fs::metadata(&file) else { continue };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            tracing::warn!(
                ?file,
                mode = format!("{mode:o}"),
                "the mode of the database file lets other users read or write it: run chmod 600 on it"
            );
        }
    }
}

#[cfg(not(unix))]
fn warn_if_shared(_path: &Path) {}

/// The pool of the one connection that writes.
pub(super) async fn writer(path: &Path) -> Result<SqlitePool, ConnectError> {
    // SQLite would open a file that is read-only, and say so at the first write.
    if let Err(error) = OpenOptions::new().write(true).open(path) {
        return Err(match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                ConnectError::ReadOnly(error.into())
            }
            _ => ConnectError::File(error.into()),
        });
    }
    warn_if_shared(path);
    // At a first start, several processes may put the file into WAL mode at once, for which SQLite does not wait.
    let patience = Instant::now() + BUSY;
    loop {
        let first = options(path).connect().await;
        match first.map_err(open_error) {
            Err(ConnectError::Locked(_)) if Instant::now() < patience => {
                sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error),
            Ok(connection) => {
                // What goes wrong in closing it was no use of ours.
                let _ = connection.close().await;
                let pool = SqlitePoolOptions::new().max_connections(1);
                return Ok(pool.test_before_acquire(false).connect_lazy_with(options(path)));
            }
        }
    }
}

/// The pool of the connections that read.
pub(super) fn readers(path: &Path) -> SqlitePool {
    let options = options(path).pragma("query_only", "on");
    let pool = SqlitePoolOptions::new().max_connections(READERS);
    pool.test_before_acquire(false).connect_lazy_with(options)
}

/// The connection that sees whether others have written.
pub(super) async fn watcher(path: &Path) -> Result<SqliteConnection, ConnectError> {
    options(path).pragma("query_only", "on").connect().await.map_err(open_error)
}

/// Brings the tables up to date.
pub(super) async fn migrate(pool: &SqlitePool) -> Result<(), ConnectError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(open_error)?;
    let found = version(&mut transaction).await?;
    for migration in to_come(SqliteStore::MIGRATIONS, found.unwrap_or(0)) {
        sqlx::raw_sql(migration.sql).execute(&mut *transaction).await.map_err(open_error)?;
    }
    let found = version(&mut transaction).await?;
    transaction.commit().await.map_err(open_error)?;
    check_version(SqliteStore::MIGRATIONS, found)
}

/// Sees that the tables are those of this release, and may be written to.
pub(super) async fn check(pool: &SqlitePool) -> Result<(), ConnectError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(open_error)?;
    let found = version(&mut transaction).await?;
    transaction.rollback().await.map_err(open_error)?;
    check_version(SqliteStore::MIGRATIONS, found)
}

async fn version(connection: &mut SqliteConnection) -> Result<Option<i32>, ConnectError> {
    let there = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = 'tower_jwt_auth_meta'");
    if there.fetch_optional(&mut *connection).await.map_err(open_error)?.is_none() {
        return Ok(None);
    }
    let version = sqlx::query_scalar("SELECT version FROM tower_jwt_auth_meta");
    version.fetch_optional(connection).await.map_err(open_error)
}

fn open_error(error: sqlx::Error) -> ConnectError {
    let code = error.as_database_error().and_then(DatabaseError::code);
    let code: Option<u32> = code.and_then(|code| code.parse().ok());
    // The low byte is the primary result code (sqlite.org/rescode.html).
    match code.map(|code| code & 0xff) {
        Some(5 | 6) => ConnectError::Locked(error.into()),
        Some(8) => ConnectError::ReadOnly(error.into()),
        Some(10 | 14) => ConnectError::File(error.into()),
        Some(26) => ConnectError::NotADatabase(error.into()),
        _ => ConnectError::Database(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_sqlite_takes_for_more_are_names_of_files() {
        for (name, expected) in [
            (":memory:", "./:memory:"),
            ("file:a?mode=memory", "./file:a?mode=memory"),
            ("/a", "/a"),
        ] {
            assert_eq!(options(Path::new(name)).get_filename(), Path::new(expected));
        }
    }

    #[tokio::test]
    async fn each_commit_is_synced_and_readers_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sessions.db");
        make_file(&path).unwrap();
        let (writer, readers) = (writer(&path).await.unwrap(), readers(&path));
        let setting = async |pool: &SqlitePool, pragma| {
            let row: (String,) = sqlx::query_as(pragma).fetch_one(pool).await.unwrap();
            row.0
        };
        let number = async |pool: &SqlitePool, pragma| {
            let row: (i64,) = sqlx::query_as(pragma).fetch_one(pool).await.unwrap();
            row.0
        };
        assert_eq!(setting(&writer, "PRAGMA journal_mode").await, "wal");
        // 2 is FULL; with 1 (NORMAL) a crash of the machine can take back what was committed.
        assert_eq!(number(&writer, "PRAGMA synchronous").await, 2);
        assert_eq!(number(&readers, "PRAGMA query_only").await, 1);
    }
}
