//! The SQLite store: one file for the processes of one machine.

mod connect;
mod cursor;
mod log;
mod migrations;
mod sessions;
mod statements;
mod store;
mod watch;

pub use self::store::SqliteStore;
