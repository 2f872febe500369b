#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod check;
mod confirm;
mod error;
mod keys;
mod link;
mod log;
mod options;
mod row;
mod scripts;
mod sessions;
mod store;
mod watch;

pub use self::error::ConnectError;
pub use self::options::RedisOptions;
pub use self::store::RedisStore;
