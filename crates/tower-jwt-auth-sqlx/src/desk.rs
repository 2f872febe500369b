use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Database, Pool, SqlStr};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tower_jwt_auth_core::StoreError;

use crate::error::{Failure, store_error};

/// How long a call may wait for a connection.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long a connection that nobody uses is believed in; then it is asked first, and has this long to answer.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// How long a connection is used.
const LIFE: Duration = Duration::from_secs(1800);

/// Lends connections of a pool.
///
/// A connection that has just answered is lent again as it is: the pool would test it after each use, which is
/// another round trip, and one without a limit of time. One whose call was given up or lost is closed, since
/// nobody knows what it would answer next. So nothing ever goes back to the pool, which only makes new ones.
pub(crate) struct Desk<DB: Database> {
    pool: Pool<DB>,
    /// Who has one of these finds a connection, here or in the pool.
    places: Semaphore,
    kept: Option<Mutex<Vec<Kept<DB>>>>,
}

/// A connection that has answered and is not in use.
struct Kept<DB: Database> {
    connection: PoolConnection<DB>,
    made: Instant,
    since: Instant,
}

impl<DB: Database> Desk<DB> {
    /// For a pool that nobody else uses.
    pub(crate) fn new(pool: Pool<DB>) -> Self {
        let places = pool.options().get_max_connections() as usize;
        Self { pool, places: Semaphore::new(places), kept: Some(Mutex::default()) }
    }

    /// For a pool that others use as well, to which each connection is given back at once.
    #[cfg(feature = "postgres")]
    pub(crate) fn shared(pool: Pool<DB>) -> Self {
        Self { pool, places: Semaphore::new(Semaphore::MAX_PERMITS), kept: None }
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// A connection, once there is one.
    pub(crate) async fn lend(&self) -> Result<Lease<'_, DB>, StoreError> {
        timeout(PATIENCE, self.wait_for_one()).await.map_err(StoreError::unavailable)?
    }

    async fn wait_for_one(&self) -> Result<Lease<'_, DB>, StoreError> {
        let place = self.places.acquire().await.map_err(StoreError::unavailable)?;
        let mut lease = Lease {
            desk: self,
            connection: None,
            made: Instant::now(),
            is_sound: false,
            _place: place,
        };
        if let Some(Kept { connection, made, since }) = self.take_kept() {
            lease.made = made;
            lease.connection = Some(connection);
            if since.elapsed() < FRESH_FOR
                || matches!(timeout(FRESH_FOR, lease.ping()).await, Ok(Ok(())))
            {
                return Ok(lease);
            }
            // What broke this one may have broken the others.
            lease.close();
            self.forget();
        }
        lease.made = Instant::now();
        lease.connection = Some(self.pool.acquire().await.map_err(store_error)?);
        Ok(lease)
    }

    /// The connection that answered last, unless it has been used for long enough.
    fn take_kept(&self) -> Option<Kept<DB>> {
        let mut kept = self.kept()?;
        while let Some(last) = kept.pop() {
            if last.made.elapsed() < LIFE {
                return Some(last);
            }
            drop(last.connection.detach());
        }
        None
    }

    /// Closes all connections that are not in use.
    fn forget(&self) {
        for Kept { connection, .. } in self.kept().iter_mut().flat_map(|kept| kept.drain(..)) {
            drop(connection.detach());
        }
    }

    fn kept(&self) -> Option<MutexGuard<'_, Vec<Kept<DB>>>> {
        self.kept.as_ref().map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<DB: Database> Drop for Desk<DB> {
    /// A connection that is dropped as it is goes back to its pool, for which it takes a runtime.
    fn drop(&mut self) {
        self.forget();
    }
}

impl<DB: Database> fmt::Debug for Desk<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("connections", &self.pool.size()).finish_non_exhaustive()
    }
}

/// A connection that is lent until this is settled, or dropped.
pub(crate) struct Lease<'a, DB: Database> {
    desk: &'a Desk<DB>,
    connection: Option<PoolConnection<DB>>,
    made: Instant,
    is_sound: bool,
    _place: SemaphorePermit<'a>,
}

impl<DB: Database> Lease<'_, DB> {
    /// Gives the connection back with what came of the call.
    pub(crate) fn settle<T>(
        mut self,
        outcome: Result<T, impl Into<Failure>>,
    ) -> Result<T, StoreError> {
        let outcome = outcome.map_err(Into::into);
        self.is_sound = outcome.as_ref().err().is_none_or(Failure::leaves_the_connection_sound);
        outcome.map_err(StoreError::from)
    }

    /// Does this in one transaction, which nothing is left of should it fail.
    pub(crate) async fn transaction<T>(
        mut self,
        begin: SqlStr,
        work: impl AsyncFnOnce(&mut DB::Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let mut transaction = self.begin_with(begin).await.map_err(store_error)?;
        match work(&mut transaction).await {
            Ok(outcome) => {
                transaction.commit().await.map_err(store_error)?;
                self.settle(Ok::<_, Failure>(outcome))
            }
            Err(failure) => {
                // Now, and not with the next use: it holds locks.
                transaction.rollback().await.map_err(store_error)?;
                self.settle(Err(failure))
            }
        }
    }

    fn close(&mut self) {
        self.connection.take().map(PoolConnection::detach);
    }
}

impl<DB: Database> Deref for Lease<'_, DB> {
    type Target = DB::Connection;

    #[allow(clippy::expect_used)]
    fn deref(&self) -> &DB::Connection {
        self.connection.as_ref().expect("whoever has a lease has its connection")
    }
}

impl<DB: Database> DerefMut for Lease<'_, DB> {
    #[allow(clippy::expect_used)]
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.connection.as_mut().expect("whoever has a lease has its connection")
    }
}

impl<DB: Database> Drop for Lease<'_, DB> {
    fn drop(&mut self) {
        if !self.is_sound {
            self.close();
        }
        let (Some(connection), made) = (self.connection.take(), self.made) else { return };
        if let Some(mut kept) = self.desk.kept() {
            kept.push(Kept { connection, made, since: Instant::now() });
        }
    }
}
