//! The migrations of the tables.

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;

use crate::error::ConnectError;
use crate::migrations::{Migration, check_version, pending};
use crate::sqlite::connect::connect_error;
use crate::sqlite::statements::BEGIN;

pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, sql: include_str!("../../migrations/sqlite/0001_sessions.sql") },
    Migration { version: 2, sql: include_str!("../../migrations/sqlite/0002_late_retries.sql") },
    Migration { version: 3, sql: include_str!("../../migrations/sqlite/0003_target_id.sql") },
];

/// Applies the pending migrations.
pub(super) async fn migrate(pool: &SqlitePool) -> Result<(), ConnectError> {
    let version = apply_pending(pool).await.map_err(connect_error)?;
    check_version(MIGRATIONS, version)
}

/// Checks that the tables are those of this release and can be written to.
pub(super) async fn check_tables(pool: &SqlitePool) -> Result<(), ConnectError> {
    let version = version_under_lock(pool).await.map_err(connect_error)?;
    check_version(MIGRATIONS, version)
}

/// Applies the pending migrations in one transaction. Returns the resulting version.
async fn apply_pending(pool: &SqlitePool) -> Result<Option<i32>, sqlx::Error> {
    let mut transaction = pool.begin_with(BEGIN).await?;
    for migration in pending(MIGRATIONS, version(&mut transaction).await?) {
        sqlx::raw_sql(migration.sql).execute(&mut *transaction).await?;
    }
    let version = version(&mut transaction).await?;
    transaction.commit().await?;
    Ok(version)
}

/// Reads the version of the tables in a transaction with the write lock.
async fn version_under_lock(pool: &SqlitePool) -> Result<Option<i32>, sqlx::Error> {
    let mut transaction = pool.begin_with(BEGIN).await?;
    let version = version(&mut transaction).await?;
    transaction.rollback().await?;
    Ok(version)
}

/// Reads the version of the tables. Returns `None` if there are no tables.
async fn version(connection: &mut SqliteConnection) -> Result<Option<i32>, sqlx::Error> {
    let exists = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = 'tower_jwt_auth_meta'");
    if exists.fetch_optional(&mut *connection).await?.is_none() {
        return Ok(None);
    }
    let version = sqlx::query_scalar("SELECT version FROM tower_jwt_auth_meta");
    version.fetch_optional(connection).await
}
