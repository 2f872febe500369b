//! The traits of a store, and the types that their methods take and return.

mod error;
mod revocation_log;
mod selector;
mod session_store;

use std::time::Duration;

pub use self::error::StoreError;
pub use self::revocation_log::RevocationLog;
pub use self::selector::SessionSelector;
pub use self::session_store::{SessionSnapshot, SessionStore};

/// The time after which callers abandon a call of a store.
///
/// A store that answers later counts as unavailable. A store with timeouts of its own (for connections, locks or
/// replicas) keeps them shorter, so that the error names the cause.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);
