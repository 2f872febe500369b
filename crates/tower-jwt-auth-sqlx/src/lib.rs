#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(all(feature = "sqlite", feature = "postgres"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "sqlite", feature = "postgres")),
    doc = "SQLite and PostgreSQL stores of tower-jwt-auth. Build with both features for the documentation of the crate."
)]

mod convert;
mod error;
mod escape;
mod log_row;
mod migrations;
mod paging;
mod pool;
mod query_error;
mod session_row;

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use self::error::ConnectError;
pub use self::migrations::Migration;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!("enable the feature `sqlite` or `postgres`");
