#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod desk;
mod entry;
mod error;
mod paging;
mod row;
mod task;
mod text;

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use self::error::ConnectError;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!("turn on the feature `sqlite` or `postgres`");

/// A step of the tables from one version to the next, for applications that apply it themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// The version of the tables after it; the first one is 1.
    pub version: i32,
    /// The statements, to be run in one transaction.
    pub sql: &'static str,
}

/// The migrations that are still to come for tables of this version; 0 where there are none.
fn to_come(migrations: &[Migration], found: i32) -> impl Iterator<Item = &Migration> {
    migrations.iter().filter(move |migration| migration.version > found)
}

/// Whether these tables are of the version that this crate works with.
fn check_version(migrations: &[Migration], found: Option<i32>) -> Result<(), ConnectError> {
    let wanted = migrations.last().map_or(0, |migration| migration.version);
    match found {
        None => Err(ConnectError::NoTables),
        Some(found) if found < wanted => Err(ConnectError::OldTables { found, wanted }),
        Some(found) if found > wanted => Err(ConnectError::NewTables { found, wanted }),
        Some(_) => Ok(()),
    }
}
