use std::sync::Arc;

use sqlx::postgres::PgConnection;
use sqlx::{PgPool, Postgres};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;
use tower_jwt_auth_core::{ChangeSignal, EndReason, StoreError};

use crate::error::ConnectError;
use crate::migrations::Migration;
use crate::pool::CheckedPool;
use crate::postgres::connect::{
    check_settings, close, connect, connect_error, connect_options, pool,
};
use crate::postgres::migrations::{MIGRATIONS, check_tables, migrate};
use crate::postgres::notify::{receive_loop, send_loop};
use crate::postgres::statements::{BEGIN, DELETE_RUN, END_ALL, RENEW_XIDS};

/// A store of sessions and revocations in PostgreSQL, for any number of machines.
///
/// The server must be the primary of PostgreSQL 13 or later, and the database must have the encoding UTF8. All times
/// are those of the server, in milliseconds.
///
/// The store runs two tasks in the background until it is dropped, so it must be created in a Tokio runtime.
///
/// # Examples
///
/// ```no_run
/// use tower_jwt_auth_core::{SessionId, SessionStore};
/// use tower_jwt_auth_sqlx::PostgresStore;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::connect("postgres://app@db.internal/app").await?;
/// assert!(store.load(SessionId::random()?).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PostgresStore {
    pub(super) pool: Arc<CheckedPool<Postgres>>,
    /// Raised when this or another node has changed the log.
    pub(super) signal: Arc<ChangeSignal>,
    /// Notified when this node has changed the log.
    log_changed: Arc<Notify>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl PostgresStore {
    /// The migrations of the tables, for an application that runs them itself and then calls
    /// [`connect_existing`](Self::connect_existing) or [`with_pool`](Self::with_pool).
    pub const MIGRATIONS: &'static [Migration] = MIGRATIONS;

    /// Connects to a database and applies the pending migrations.
    ///
    /// The store opens at most 17 connections. The tables are created in the first schema of the user's search path. A
    /// connection string selects another schema with `?options[search_path]=auth`.
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError`] if the connection string is malformed, the server does not answer within 5 seconds or
    /// does not meet the requirements, or the migrations cannot be applied.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let options = connect_options(url)?;
        let mut connection = connect(&options).await?;
        migrate(&mut connection).await?;
        close(connection).await;
        Ok(Self::start(CheckedPool::new(pool(options))))
    }

    /// Connects to a database whose tables an application has created with [`MIGRATIONS`](Self::MIGRATIONS).
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError`] if the connection string is malformed, the server does not answer within 5 seconds or
    /// does not meet the requirements, or the tables do not exist or have another version.
    pub async fn connect_existing(url: &str) -> Result<Self, ConnectError> {
        let options = connect_options(url)?;
        let mut connection = connect(&options).await?;
        check_tables(&mut connection).await?;
        close(connection).await;
        Ok(Self::start(CheckedPool::new(pool(options))))
    }

    /// Creates a store over a pool of the application (`sqlx::PgPool` of sqlx 0.9) whose database has the tables.
    /// [`migrate`](Self::migrate) creates them.
    ///
    /// The connections must have the isolation level READ COMMITTED, `synchronous_commit` other than `off`, and
    /// `default_transaction_read_only` off. These are the defaults of PostgreSQL. The store checks one connection.
    ///
    /// The pool tests each connection after use, which is another round trip that no request waits for. It also tests
    /// each connection before use, which a request does wait for, unless `test_before_acquire(false)` is set. The
    /// store receives notifications on one more connection beside the pool.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use tower_jwt_auth_sqlx::PostgresStore;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = sqlx::PgPool::connect("postgres://app@db.internal/app").await?;
    /// PostgresStore::migrate(&pool).await?;
    /// let store = PostgresStore::with_pool(pool).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError`] if the pool has no connection, the server or the settings do not meet the
    /// requirements, or the tables do not exist or have another version.
    pub async fn with_pool(pool: PgPool) -> Result<Self, ConnectError> {
        let mut connection = pool.acquire().await.map_err(connect_error)?;
        check_tables(&mut connection).await?;
        check_settings(&mut connection).await?;
        drop(connection);
        Ok(Self::start(CheckedPool::shared(pool)))
    }

    /// Applies the pending migrations. Concurrent calls of several processes are serialized.
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError`] if the pool has no connection, the server does not meet the requirements, or the
    /// migrations cannot be applied.
    pub async fn migrate(pool: &PgPool) -> Result<(), ConnectError> {
        let mut connection = pool.acquire().await.map_err(connect_error)?;
        migrate(&mut connection).await
    }

    fn start(pool: CheckedPool<Postgres>) -> Self {
        let pool = Arc::new(pool);
        let signal = Arc::new(ChangeSignal::new());
        let log_changed = Arc::new(Notify::new());
        let receive = receive_loop(pool.inner().connect_options(), Arc::clone(&signal));
        let send = send_loop(Arc::clone(&pool), Arc::clone(&log_changed));
        let tasks = [tokio::spawn(receive), tokio::spawn(send)].map(AbortOnDropHandle::new);
        Self { pool, signal, log_changed, _tasks: tasks }
    }

    /// Wakes the readers of the log on this node and on the others.
    pub(super) fn notify_readers(&self) {
        self.signal.notify();
        self.log_changed.notify_one();
    }

    /// Ends all sessions and restarts the log. Returns the number of sessions that it ended.
    ///
    /// Call it once after the database was restored from a backup, before the first request: the backup contains
    /// sessions that were ended since. Every reader of the log reads it from the start. The call takes as long as it
    /// needs to end all sessions.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it is not certain whether the sessions were ended.
    pub async fn after_restore(&self) -> Result<usize, StoreError> {
        let work = async |connection: &mut PgConnection| {
            // The number of sessions is not bounded, so the timeout for requests does not fit.
            sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *connection).await?;
            sqlx::query(DELETE_RUN).execute(&mut *connection).await?;
            sqlx::query(RENEW_XIDS).execute(&mut *connection).await?;
            let end_all = sqlx::query_scalar::<_, i64>(END_ALL).bind(EndReason::Logout.as_str());
            Ok(end_all.fetch_one(connection).await?)
        };
        let ended = self.pool.acquire().await?.transaction(BEGIN, work).await?;
        self.notify_readers();
        Ok(usize::try_from(ended).unwrap_or(usize::MAX))
    }
}
