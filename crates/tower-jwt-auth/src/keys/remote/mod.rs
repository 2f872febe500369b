//! Keys that an issuer publishes at a URL.
//!
//! `key_set` is the handle and `builder` its configuration. A task (`refresher`) queries the source (`source`: a JWK
//! set URL, or discovery), which sends requests (`request`) through a client (`client`). The result is published
//! (`shared`) for readers, who take snapshots (`snapshot`). `schedule` decides when to fetch again.

mod builder;
mod client;
mod error;
mod freshness;
mod key_set;
mod refresher;
mod request;
mod schedule;
mod shared;
mod snapshot;
mod source;
mod status;
#[cfg(test)]
mod tests;
mod url;

pub use self::builder::RemoteKeySetBuilder;
pub use self::error::FetchErrorKind;
pub use self::key_set::RemoteKeySet;
pub(crate) use self::snapshot::Snapshot;
pub use self::status::RemoteKeySetStatus;
