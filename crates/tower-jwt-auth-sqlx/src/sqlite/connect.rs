//! The database file and its connections.

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
use tower_jwt_auth_core::STORE_TIMEOUT;

use crate::error::ConnectError;

/// The time that a write waits for other processes. It leaves a second of [`STORE_TIMEOUT`], so that the error names
/// the cause.
const BUSY_TIMEOUT: Duration = STORE_TIMEOUT.saturating_sub(Duration::from_secs(1));
/// The time between two attempts to open a locked file.
const OPEN_BACKOFF: Duration = Duration::from_millis(20);
/// The number of connections that read.
const MAX_READERS: u32 = 4;

fn connect_options(path: &Path) -> SqliteConnectOptions {
    // SQLite gives some names another meaning: `:memory:`, and names that begin with `file:`.
    let path = if path.is_relative() { Path::new(".").join(path) } else { path.to_owned() };
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

/// Creates the file with the mode 0600 if it does not exist.
///
/// The call that creates the file also sets its mode, so other users cannot open it at any moment. SQLite gives the
/// `-wal` and `-shm` files the mode of the file.
pub(super) fn create_file(path: &Path) -> Result<(), ConnectError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(ConnectError::File(error.into())),
    }
}

/// Logs a warning if the mode of a file lets other users of the machine read or write it.
///
/// The `-wal` and `-shm` files are checked as well: the `-wal` file contains the same data, and it keeps its mode if
/// only the mode of the database file is changed.
#[cfg(unix)]
fn warn_if_shared(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    // If the path is a symbolic link, SQLite creates the other files beside its target.
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

/// Creates the pool of the one connection that writes.
pub(super) async fn writer(path: &Path) -> Result<SqlitePool, ConnectError> {
    // SQLite opens a read-only file without an error and fails at the first write.
    if let Err(error) = OpenOptions::new().write(true).open(path) {
        return Err(match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                ConnectError::ReadOnly(error.into())
            }
            _ => ConnectError::File(error.into()),
        });
    }
    warn_if_shared(path);
    // At the first start, several processes may switch the file to WAL mode at once. SQLite does not wait for the lock
    // that this needs.
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        let connected = connect_options(path).connect().await;
        match connected.map_err(connect_error) {
            Err(ConnectError::Locked(_)) if Instant::now() < deadline => {
                sleep(OPEN_BACKOFF).await;
            }
            Err(error) => return Err(error),
            Ok(connection) => {
                // The connection is not needed any more, so an error has no consequence.
                let _ = connection.close().await;
                let pool = SqlitePoolOptions::new().max_connections(1);
                return Ok(pool
                    .test_before_acquire(false)
                    .connect_lazy_with(connect_options(path)));
            }
        }
    }
}

/// Creates the pool of the connections that read.
pub(super) fn readers(path: &Path) -> SqlitePool {
    let options = connect_options(path).pragma("query_only", "on");
    let pool = SqlitePoolOptions::new().max_connections(MAX_READERS);
    pool.test_before_acquire(false).connect_lazy_with(options)
}

/// Opens the connection that watches the file for writes.
pub(super) async fn watcher(path: &Path) -> Result<SqliteConnection, ConnectError> {
    connect_options(path).pragma("query_only", "on").connect().await.map_err(connect_error)
}

/// Converts an error of sqlx to the reason for which the store could not be opened.
pub(super) fn connect_error(error: sqlx::Error) -> ConnectError {
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
    fn special_names_of_sqlite_are_names_of_files() {
        for (name, expected) in [
            (":memory:", "./:memory:"),
            ("file:a?mode=memory", "./file:a?mode=memory"),
            ("/a", "/a"),
        ] {
            assert_eq!(connect_options(Path::new(name)).get_filename(), Path::new(expected));
        }
    }

    #[tokio::test]
    async fn each_commit_is_synced_and_readers_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sessions.db");
        create_file(&path).unwrap();
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
        // 2 is FULL. With 1 (NORMAL), a crash of the machine can undo commits.
        assert_eq!(number(&writer, "PRAGMA synchronous").await, 2);
        assert_eq!(number(&readers, "PRAGMA query_only").await, 1);
    }
}
