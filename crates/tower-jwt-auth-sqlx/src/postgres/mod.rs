//! The PostgreSQL store: one database for the processes of many machines.

mod connect;
mod cursor;
mod log;
mod migrations;
mod notify;
mod sessions;
mod statements;
mod store;

pub use self::store::PostgresStore;
