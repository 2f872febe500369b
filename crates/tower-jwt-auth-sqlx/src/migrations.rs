use crate::error::ConnectError;

/// A migration of the tables to their next version, for applications that run migrations themselves.
///
/// The statements also record the version, so any tool can run them. Run each migration in a transaction of its own,
/// in the order of the versions.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?; let path = directory.path().join("app.db");
/// use sqlx::Connection as _;
/// use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
/// use tower_jwt_auth_sqlx::SqliteStore;
///
/// let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
/// let mut connection = SqliteConnection::connect_with(&options).await?;
/// for migration in SqliteStore::MIGRATIONS {
///     let mut transaction = connection.begin().await?;
///     sqlx::raw_sql(migration.sql).execute(&mut *transaction).await?;
///     transaction.commit().await?;
/// }
/// let store = SqliteStore::open_existing(&path).await?;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sqlite"))] fn main() {}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// The version of the tables after this migration. The first version is 1.
    pub version: i32,
    /// The SQL statements, separated by semicolons.
    pub sql: &'static str,
}

/// Returns the migrations that tables of this version lack, or all migrations if there are no tables.
pub(crate) fn pending(
    migrations: &[Migration],
    version: Option<i32>,
) -> impl Iterator<Item = &Migration> {
    migrations.iter().filter(move |migration| version.is_none_or(|found| migration.version > found))
}

/// Checks that tables of this version are those of this release.
pub(crate) fn check_version(
    migrations: &[Migration],
    version: Option<i32>,
) -> Result<(), ConnectError> {
    let required = migrations.last().map_or(0, |migration| migration.version);
    match version {
        None => Err(ConnectError::NoTables),
        Some(found) if found < required => Err(ConnectError::OldTables { found, required }),
        Some(found) if found > required => Err(ConnectError::NewTables { found, required }),
        Some(_) => Ok(()),
    }
}
