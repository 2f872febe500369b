//! PostgreSQL: one database, for the processes of many machines.

mod cursor;
mod log;
mod open;
mod sessions;
mod watch;

use std::sync::Arc;

use sqlx::postgres::PgConnection;
use sqlx::{PgPool, Postgres, SqlSafeStr as _, SqlStr};
use tokio::sync::Notify;
use tower_jwt_auth_core::{ChangeSignal, EndReason, StoreError};

use crate::Migration;
use crate::desk::Desk;
use crate::error::ConnectError;
use crate::task::Task;

/// Sessions and revocations in PostgreSQL 13 or newer, for any number of machines.
///
/// All times are those of the database server.
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
    desk: Arc<Desk<Postgres>>,
    signal: Arc<ChangeSignal>,
    /// Tells the other nodes that the log has grown.
    grown: Arc<Notify>,
    _tasks: [Task; 2],
}

impl PostgresStore {
    /// The migrations of the tables, for an application that runs them itself and then calls
    /// [`connect_existing`](Self::connect_existing) or [`with_pool`](Self::with_pool).
    pub const MIGRATIONS: &'static [Migration] = &[
        Migration { version: 1, sql: include_str!("../../migrations/postgres/0001_sessions.sql") },
        Migration {
            version: 2,
            sql: include_str!("../../migrations/postgres/0002_rotation_and_batches.sql"),
        },
    ];

    /// Connects to this database, with 17 connections at most, and brings its tables up to date.
    ///
    /// The tables are made in the first schema of the user's search path; `?options[search_path]=auth` in the
    /// connection string names another one.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], which says what to change.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let options = open::options(url)?;
        let mut connection = open::connect(&options).await?;
        open::migrate(&mut connection).await?;
        open::close(connection).await;
        Ok(Self::start(Desk::new(open::pool(options))))
    }

    /// Connects to this database, where an application has made the tables.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], which says what to change.
    pub async fn connect_existing(url: &str) -> Result<Self, ConnectError> {
        let options = open::options(url)?;
        let mut connection = open::connect(&options).await?;
        open::check(&mut connection).await?;
        open::close(connection).await;
        Ok(Self::start(Desk::new(open::pool(options))))
    }

    /// Uses a pool of the application's (`sqlx::PgPool` of sqlx 0.9), in whose database the tables are:
    /// [`migrate`](Self::migrate) makes them.
    ///
    /// Its connections must have the isolation level READ COMMITTED and `synchronous_commit` other than `off`,
    /// as they have unless they were told otherwise; one of them is asked. The pool tests each connection after use, which is a
    /// round trip more, though none that a request waits for; `test_before_acquire(false)` saves another one
    /// that it does wait for. The log is listened to on a connection beside the pool.
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
    /// [`ConnectError`], which says what to change.
    pub async fn with_pool(pool: PgPool) -> Result<Self, ConnectError> {
        let mut connection = pool.acquire().await.map_err(open::error)?;
        open::check(&mut connection).await?;
        open::check_settings(&mut connection).await?;
        drop(connection);
        Ok(Self::start(Desk::shared(pool)))
    }

    /// Brings the tables up to date, once though several processes ask for it at the same time.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], which says what to change.
    pub async fn migrate(pool: &PgPool) -> Result<(), ConnectError> {
        let mut connection = pool.acquire().await.map_err(open::error)?;
        open::migrate(&mut connection).await
    }

    fn start(desk: Desk<Postgres>) -> Self {
        let (desk, signal, grown) =
            (Arc::new(desk), Arc::new(ChangeSignal::new()), Arc::new(Notify::new()));
        let listening = watch::listen(desk.pool().connect_options(), Arc::clone(&signal));
        let telling = watch::tell(Arc::clone(&desk), Arc::clone(&grown));
        Self { desk, signal, grown, _tasks: [Task::start(listening), Task::start(telling)] }
    }

    /// Wakes those who follow the log, here and elsewhere.
    fn announce(&self) {
        self.signal.notify();
        self.grown.notify_one();
    }

    /// Ends all sessions and starts the log anew; tells how many sessions it ended.
    ///
    /// To be called once after the database has been restored from a backup, before anyone is served: sessions
    /// that were ended since the backup live again in it. Whoever follows the log reads all of it again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not certain whether it happened.
    pub async fn after_restore(&self) -> Result<usize, StoreError> {
        let lease = self.desk.lend().await?;
        let ending = async |connection: &mut PgConnection| {
            // There may be more rows than can be ended in the time that a request has.
            sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *connection).await?;
            sqlx::query(FORGET_RUN).execute(&mut *connection).await?;
            sqlx::query(STAMP_LOG).execute(&mut *connection).await?;
            let ended = sqlx::query_scalar::<_, i64>(END_ALL).bind(EndReason::Logout.as_str());
            Ok(ended.fetch_one(connection).await?)
        };
        let ended = lease.transaction(begin(), ending).await?;
        self.announce();
        Ok(usize::try_from(ended).unwrap_or(usize::MAX))
    }
}

/// Each statement of a transaction sees what was committed before it, whatever the database's default: a lock
/// that was waited for must show what its holder did.
fn begin() -> SqlStr {
    "BEGIN ISOLATION LEVEL READ COMMITTED".into_sql_str()
}

/// The server's time now, in milliseconds.
macro_rules! now {
    () => {
        "trunc(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}
use now;

const FORGET_RUN: &str = "DELETE FROM tower_jwt_auth_run";
/// The transactions of another server say nothing here.
const STAMP_LOG: &str = "UPDATE tower_jwt_auth_log SET xid = pg_current_xact_id()";
/// The access tokens that were made since the backup live as long as those that the row knows of.
const END_ALL: &str = concat!(
    "WITH time AS MATERIALIZED (SELECT ",
    now!(),
    " AS now), ended AS (\
         UPDATE tower_jwt_auth_sessions SET ended_at = now, end_reason = $1, \
             access_until = GREATEST(access_until, now + access_until - rotated_at) \
         FROM time WHERE ended_at IS NULL RETURNING id, issuer, access_until\
     ), logged AS (\
         INSERT INTO tower_jwt_auth_log (kind, issuer, name, until) \
         SELECT 'session', issuer, id, access_until FROM ended\
     ) \
     SELECT count(*) FROM ended"
);
