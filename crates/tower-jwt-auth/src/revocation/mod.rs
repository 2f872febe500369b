//! Revocations: the list in memory, and the options of the task that keeps it in sync with the log.
//!
//! [`RevocationList`] is a copy of the revocations on this node. It follows a
//! [`RevocationLog`](crate::store::RevocationLog), which all nodes share.

mod cache;
mod follower;
mod freshness;
mod list;
mod options;
mod prepared;
mod status;
mod sweep_clock;
mod target_table;

pub use self::list::RevocationList;
pub(crate) use self::list::{DEFAULT_MAX_STALENESS, RevocationStatus};
pub use self::options::SyncOptions;
pub(crate) use self::prepared::PreparedKeys;
pub use self::status::TokenStatus;

#[cfg(test)]
mod tests;
