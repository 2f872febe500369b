#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod connection;
mod convert;
mod cursor;
mod durability;
mod error;
mod keys;
mod log;
mod log_page;
mod options;
mod preflight;
mod scripts;
mod session_row;
mod sessions;
mod store;
mod timeouts;
mod watch;

pub use self::error::ConnectError;
pub use self::options::RedisOptions;
pub use self::store::RedisStore;
