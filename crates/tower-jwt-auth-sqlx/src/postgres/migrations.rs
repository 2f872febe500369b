//! The migrations of the tables.

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::error::ConnectError;
use crate::migrations::{Migration, check_version, pending};
use crate::postgres::connect::{check_server, connect_error};

pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, sql: include_str!("../../migrations/postgres/0001_sessions.sql") },
    Migration {
        version: 2,
        sql: include_str!("../../migrations/postgres/0002_rotation_and_batches.sql"),
    },
    Migration { version: 3, sql: include_str!("../../migrations/postgres/0003_target_id.sql") },
];

/// The advisory lock that serializes the migrations of several processes. The key is the ASCII codes of "tjauth".
const MIGRATION_LOCK: i64 = 0x746a_6175_7468;

/// Applies the pending migrations.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<(), ConnectError> {
    check_server(connection).await?;
    let version = apply_pending(connection).await.map_err(connect_error)?;
    check_version(MIGRATIONS, version)
}

/// Checks that the tables are those of this release.
pub(super) async fn check_tables(connection: &mut PgConnection) -> Result<(), ConnectError> {
    check_server(connection).await?;
    let version = version(connection).await.map_err(connect_error)?;
    check_version(MIGRATIONS, version)
}

/// Applies the pending migrations in one transaction. Returns the resulting version.
async fn apply_pending(connection: &mut PgConnection) -> Result<Option<i32>, sqlx::Error> {
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    let mut transaction = connection.begin_with(begin).await?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK);
    lock.execute(&mut *transaction).await?;
    for migration in pending(MIGRATIONS, version(&mut transaction).await?) {
        sqlx::raw_sql(migration.sql).execute(&mut *transaction).await?;
    }
    let version = version(&mut transaction).await?;
    transaction.commit().await?;
    Ok(version)
}

/// Reads the version of the tables. Returns `None` if there are no tables.
async fn version(connection: &mut PgConnection) -> Result<Option<i32>, sqlx::Error> {
    let exists = sqlx::query_scalar("SELECT to_regclass('tower_jwt_auth_meta') IS NOT NULL");
    if !exists.fetch_one(&mut *connection).await? {
        return Ok(None);
    }
    let version = sqlx::query_scalar("SELECT version FROM tower_jwt_auth_meta");
    version.fetch_optional(connection).await
}
