//! The traits of a store and their types, re-exported from the crate `tower-jwt-auth-core`. The crate of a store
//! depends on that crate alone.
//!
//! # Examples
//!
//! ```
//! use tower_jwt_auth::store::{MemoryStore, SessionStore, StoreError};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), StoreError> {
//! let store = MemoryStore::new();
//! let page = store.list("https://shop.example", "alice", None, 10).await?;
//! assert!(page.sessions.is_empty());
//! # Ok(())
//! # }
//! ```

pub use tower_jwt_auth_core::{
    AdvanceRequest, ChangeSignal, ClientInfo, Clock, Cursor, EndBatch, EndReason, Ended,
    EndedBatch, EntropyError, Heartbeat, LateRetryRequest, LateRetryRun, LogEntry, LogPage,
    ManualClock, MemoryStore, NodeId, ParseIdError, ParseNameError, PresentedToken, Revocation,
    RevocationKey, RevocationKind, RevocationLog, RotationOutcome, RotationPolicy,
    RotationRejection, STORE_TIMEOUT, SecretHash, Session, SessionId, SessionLimit, SessionPage,
    SessionPosition, SessionRecord, SessionSelector, SessionSnapshot, SessionStore, StoreError,
    SystemClock, Timestamp, TimestampRangeError, TokenId,
};
