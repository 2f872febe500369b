//! Sessions, and their records in a store.

mod client_info;
mod end_reason;
mod late_retry_run;
mod record;
mod secret_hash;

pub use self::client_info::ClientInfo;
pub use self::end_reason::{EndReason, Ended};
pub use self::late_retry_run::LateRetryRun;
pub use self::record::SessionRecord;
pub use self::secret_hash::SecretHash;
use crate::id::SessionId;
use crate::time::Timestamp;

/// A sign-in on one client, as the store keeps it.
///
/// With the feature `serde` it serializes its public view, for an API that lists the sessions of a user: `id`,
/// `subject`, `created_at`, `last_seen`, `valid_until`, `auth_time`, `scope` and `client_info`, as the methods of
/// these names return them. The secret's hash and the claims are never part of it.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{MemoryStore, Session, SessionStore, StoreError};
///
/// async fn sessions_of(store: &impl SessionStore, user: &str) -> Result<Vec<String>, StoreError> {
///     let page = store.list("https://shop.example", user, None, 20).await?;
///     let line = |session: &Session| {
///         let client = session.client_info().user_agent().unwrap_or("unknown client");
///         format!("{client}, last seen at {}", session.last_seen())
///     };
///     Ok(page.sessions.iter().map(line).collect())
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// # assert!(sessions_of(&MemoryStore::new(), "alice").await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    record: SessionRecord,
}

impl Session {
    /// Creates the session of a record.
    pub fn from_record(record: SessionRecord) -> Self {
        Self { record }
    }

    /// Returns the record for a store to keep.
    pub fn into_record(self) -> SessionRecord {
        self.record
    }

    /// Returns a reference to the record.
    pub fn record(&self) -> &SessionRecord {
        &self.record
    }

    /// Returns the ID of the session: the `sid` claim of its tokens.
    pub fn id(&self) -> SessionId {
        self.record.id
    }

    /// Returns the user: the `sub` claim of the session's tokens.
    pub fn subject(&self) -> &str {
        &self.record.subject
    }

    /// Returns the number of rotations of the refresh token.
    pub fn generation(&self) -> u64 {
        self.record.generation
    }

    /// Returns the time at which the session started.
    pub fn created_at(&self) -> Timestamp {
        self.record.created_at
    }

    /// Returns the time at which the session last rotated or granted a late retry, or at which it started. Refreshes
    /// within the grace window after that do not count.
    pub fn last_seen(&self) -> Timestamp {
        self.record.rotated_at
    }

    /// Returns the time at which the session ends unless it is refreshed before.
    pub fn valid_until(&self) -> Timestamp {
        self.record.valid_until()
    }

    /// Returns the time at which the user last authenticated.
    pub fn auth_time(&self) -> Timestamp {
        self.record.auth_time
    }

    /// Returns the scope of the session's access tokens, space-separated (RFC 6749 §3.3). It may be empty.
    pub fn scope(&self) -> &str {
        &self.record.scope
    }

    /// Returns the client that started the session.
    pub fn client_info(&self) -> &ClientInfo {
        &self.record.client_info
    }

    /// Returns whether the session can be refreshed at this time: it has not ended, is not idle and has not expired.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.record.is_live(now)
    }
}
