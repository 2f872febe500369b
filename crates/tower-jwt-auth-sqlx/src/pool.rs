use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::{Connection as _, Database, Executor, IntoArguments, Pool, SqlSafeStr as _};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tower_jwt_auth_core::{STORE_TIMEOUT, StoreError};

use crate::query_error::{QueryError, store_error};

/// The time that a call waits for a connection. It leaves a second of [`STORE_TIMEOUT`], so that the error names the
/// cause.
const ACQUIRE_TIMEOUT: Duration = STORE_TIMEOUT.saturating_sub(Duration::from_secs(1));
/// The time after which an idle connection is pinged before use.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);
/// The time that the ping may take.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// The time after which a connection is replaced.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// A pool of connections that are checked only if they were idle.
///
/// A connection that has just answered is used again without a test. The pool of sqlx tests each connection after
/// use, which is another round trip, and one without a timeout. A connection whose call failed or was abandoned is
/// closed, because its next answer could belong to that call. Connections therefore never return to the pool of sqlx,
/// which only opens them.
pub(crate) struct CheckedPool<DB: Database> {
    pool: Pool<DB>,
    /// One permit for each connection, idle or not yet open.
    permits: Semaphore,
    /// The idle connections, or `None` if they return to a shared pool.
    idle: Option<Mutex<Vec<IdleConnection<DB>>>>,
}

/// A connection that has answered its last call and is not in use.
struct IdleConnection<DB: Database> {
    connection: PoolConnection<DB>,
    opened_at: Instant,
    idle_since: Instant,
}

impl<DB: Database> CheckedPool<DB> {
    /// Creates a pool over a pool of sqlx without other users.
    pub(crate) fn new(pool: Pool<DB>) -> Self {
        let permits = pool.options().get_max_connections() as usize;
        Self { pool, permits: Semaphore::new(permits), idle: Some(Mutex::default()) }
    }

    /// Creates a pool over a pool of sqlx with other users. Connections return to it after each call.
    #[cfg(feature = "postgres")]
    pub(crate) fn shared(pool: Pool<DB>) -> Self {
        Self { pool, permits: Semaphore::new(Semaphore::MAX_PERMITS), idle: None }
    }

    /// Returns the pool of sqlx.
    #[cfg(feature = "postgres")]
    pub(crate) fn inner(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Waits for a connection.
    pub(crate) async fn acquire(&self) -> Result<PooledConnection<'_, DB>, StoreError> {
        timeout(ACQUIRE_TIMEOUT, self.reuse_or_open()).await.map_err(StoreError::unavailable)?
    }

    async fn reuse_or_open(&self) -> Result<PooledConnection<'_, DB>, StoreError> {
        let permit = self.permits.acquire().await.map_err(StoreError::unavailable)?;
        let mut pooled = PooledConnection {
            pool: self,
            connection: None,
            opened_at: Instant::now(),
            is_reusable: false,
            _permit: permit,
        };
        if let Some(IdleConnection { connection, opened_at, idle_since }) = self.take_idle() {
            pooled.opened_at = opened_at;
            pooled.connection = Some(connection);
            if idle_since.elapsed() < PING_AFTER_IDLE
                || matches!(timeout(PING_TIMEOUT, pooled.ping()).await, Ok(Ok(())))
            {
                return Ok(pooled);
            }
            // The cause may have broken the other idle connections as well.
            pooled.close();
            self.close_idle();
        }
        pooled.opened_at = Instant::now();
        pooled.connection = Some(self.pool.acquire().await.map_err(store_error)?);
        Ok(pooled)
    }

    /// Removes the connection that was used last, and closes those beyond their lifetime.
    fn take_idle(&self) -> Option<IdleConnection<DB>> {
        let mut idle = self.idle()?;
        while let Some(last) = idle.pop() {
            if last.opened_at.elapsed() < MAX_LIFETIME {
                return Some(last);
            }
            drop(last.connection.detach());
        }
        None
    }

    /// Closes all idle connections.
    fn close_idle(&self) {
        for IdleConnection { connection, .. } in
            self.idle().iter_mut().flat_map(|idle| idle.drain(..))
        {
            drop(connection.detach());
        }
    }

    fn idle(&self) -> Option<MutexGuard<'_, Vec<IdleConnection<DB>>>> {
        self.idle.as_ref().map(|idle| idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<DB: Database> Drop for CheckedPool<DB> {
    /// Detaches the idle connections from the pool of sqlx: returning one to it requires a runtime.
    fn drop(&mut self) {
        self.close_idle();
    }
}

impl<DB: Database> fmt::Debug for CheckedPool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedPool")
            .field("connections", &self.pool.size())
            .finish_non_exhaustive()
    }
}

/// A connection in use. It is closed on drop unless it was released after a call that keeps connections.
pub(crate) struct PooledConnection<'a, DB: Database> {
    pool: &'a CheckedPool<DB>,
    connection: Option<PoolConnection<DB>>,
    opened_at: Instant,
    is_reusable: bool,
    _permit: SemaphorePermit<'a>,
}

impl<DB: Database> PooledConnection<'_, DB> {
    /// Returns the connection to the pool, or closes it if the call failed in a way that breaks connections.
    pub(crate) fn release<T>(
        mut self,
        result: Result<T, impl Into<QueryError>>,
    ) -> Result<T, StoreError> {
        let result = result.map_err(Into::into);
        self.is_reusable = result.as_ref().err().is_none_or(QueryError::keeps_connection);
        result.map_err(StoreError::from)
    }

    /// Runs `work` in a transaction that is committed if `work` succeeds and rolled back otherwise.
    pub(crate) async fn transaction<T>(
        mut self,
        begin: &'static str,
        work: impl AsyncFnOnce(&mut DB::Connection) -> Result<T, QueryError>,
    ) -> Result<T, StoreError> {
        let mut transaction = self.begin_with(begin.into_sql_str()).await.map_err(store_error)?;
        match work(&mut transaction).await {
            Ok(value) => {
                transaction.commit().await.map_err(store_error)?;
                self.release(Ok::<_, QueryError>(value))
            }
            Err(error) => {
                // Rolls back at once: a dropped transaction keeps its locks until the connection is used again.
                transaction.rollback().await.map_err(store_error)?;
                self.release(Err(error))
            }
        }
    }

    fn close(&mut self) {
        self.connection.take().map(PoolConnection::detach);
    }
}

/// Single statements. Each method releases the connection.
impl<DB: Database> PooledConnection<'_, DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
{
    pub(crate) async fn fetch_all(
        mut self,
        query: Query<'_, DB, DB::Arguments>,
    ) -> Result<Vec<DB::Row>, StoreError> {
        let rows = query.fetch_all(&mut *self).await;
        self.release(rows)
    }

    pub(crate) async fn fetch_optional(
        mut self,
        query: Query<'_, DB, DB::Arguments>,
    ) -> Result<Option<DB::Row>, StoreError> {
        let row = query.fetch_optional(&mut *self).await;
        self.release(row)
    }

    pub(crate) async fn execute(
        mut self,
        query: Query<'_, DB, DB::Arguments>,
    ) -> Result<DB::QueryResult, StoreError> {
        let result = query.execute(&mut *self).await;
        self.release(result)
    }
}

impl<DB: Database> Deref for PooledConnection<'_, DB> {
    type Target = DB::Connection;

    #[allow(clippy::expect_used)]
    fn deref(&self) -> &DB::Connection {
        self.connection.as_ref().expect("a connection is set before the pool hands it out")
    }
}

impl<DB: Database> DerefMut for PooledConnection<'_, DB> {
    #[allow(clippy::expect_used)]
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.connection.as_mut().expect("a connection is set before the pool hands it out")
    }
}

impl<DB: Database> Drop for PooledConnection<'_, DB> {
    fn drop(&mut self) {
        if !self.is_reusable {
            self.close();
        }
        let (Some(connection), opened_at) = (self.connection.take(), self.opened_at) else {
            return;
        };
        if let Some(mut idle) = self.pool.idle() {
            idle.push(IdleConnection { connection, opened_at, idle_since: Instant::now() });
        }
    }
}
