use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Sqlite, SqlitePool};
use tokio_util::task::AbortOnDropHandle;
use tower_jwt_auth_core::{ChangeSignal, Clock, EndReason, StoreError, SystemClock};

use crate::convert::row_count;
use crate::error::ConnectError;
use crate::migrations::Migration;
use crate::pool::CheckedPool;
use crate::sqlite::connect::{create_file, readers, watcher, writer};
use crate::sqlite::migrations::{MIGRATIONS, check_tables, migrate};
use crate::sqlite::statements::{BEGIN, END_ALL, EXTEND_ALL, LOG_ALL, RENEW_INCARNATION};
use crate::sqlite::watch::watch_file;

/// A store of sessions and revocations in a SQLite file, for the processes of one machine.
///
/// The file is in WAL mode, and each write is synced to the disk before it is acknowledged. The file must be on a local
/// disk, because the locks of SQLite do not work on network file systems.
///
/// The store runs a task in the background until it is dropped, so it must be created in a Tokio runtime.
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
    pub(super) clock: Arc<dyn Clock>,
    /// The only connection that writes. SQLite has one writer at a time, and the queue for this connection is fairer
    /// than SQLite's lock.
    pub(super) writer: CheckedPool<Sqlite>,
    pub(super) readers: CheckedPool<Sqlite>,
    /// Raised when this or another process has written to the file.
    pub(super) signal: Arc<ChangeSignal>,
    _watch: AbortOnDropHandle<()>,
}

impl SqliteStore {
    /// The migrations of the tables, for an application that runs them itself and then calls
    /// [`open_existing`](Self::open_existing).
    pub const MIGRATIONS: &'static [Migration] = MIGRATIONS;

    /// Opens a file and applies the pending migrations.
    ///
    /// A file that does not exist is created with the mode 0600. Concurrent calls of several processes are serialized.
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError`] if the file cannot be opened, created or written to, is not a SQLite database or stays
    /// locked for 4 seconds, or the migrations cannot be applied.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, ConnectError> {
        create_file(path.as_ref())?;
        let writer = writer(path.as_ref()).await?;
        migrate(&writer).await?;
        Self::start(path.as_ref(), writer).await
    }

    /// Opens a file in which an application has created the tables with [`MIGRATIONS`](Self::MIGRATIONS).
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError`] if the file cannot be opened or written to, is not a SQLite database or stays locked
    /// for 4 seconds, or the tables do not exist or have another version.
    pub async fn open_existing(path: impl AsRef<Path>) -> Result<Self, ConnectError> {
        let writer = writer(path.as_ref()).await?;
        check_tables(&writer).await?;
        Self::start(path.as_ref(), writer).await
    }

    async fn start(path: &Path, writer: SqlitePool) -> Result<Self, ConnectError> {
        let signal = Arc::new(ChangeSignal::new());
        let watch = watch_file(watcher(path).await?, Arc::clone(&signal));
        Ok(Self {
            clock: Arc::new(SystemClock::new()),
            writer: CheckedPool::new(writer),
            readers: CheckedPool::new(readers(path)),
            signal,
            _watch: AbortOnDropHandle::new(tokio::spawn(watch)),
        })
    }

    /// Ends all sessions and restarts the log. Returns the number of sessions that it ended.
    ///
    /// Call it once after the file was restored from a backup, before the first request: the backup contains sessions
    /// that were ended since. Every reader of the log reads it from the start.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it is not certain whether the sessions were ended.
    pub async fn after_restore(&self) -> Result<usize, StoreError> {
        let connection = self.writer.acquire().await?;
        let now = self.clock.now().unix_millis();
        let work = async |connection: &mut SqliteConnection| {
            sqlx::query(RENEW_INCARNATION).execute(&mut *connection).await?;
            sqlx::query(EXTEND_ALL).bind(now).execute(&mut *connection).await?;
            sqlx::query(LOG_ALL).execute(&mut *connection).await?;
            let end_all = sqlx::query(END_ALL).bind(now).bind(EndReason::Logout.as_str());
            Ok(end_all.execute(connection).await?.rows_affected())
        };
        let ended = connection.transaction(BEGIN, work).await?;
        self.signal.notify();
        Ok(row_count(ended))
    }
}
