//! Stores: the traits to implement, and the types that they exchange; from the crate `tower-jwt-auth-core`, on which
//! the author of a store depends alone.

pub use tower_jwt_auth_core::{
    AdvanceRequest, ChangeSignal, ClientInfo, Clock, Cursor, EndBatch, EndReason, Ended,
    EndedBatch, EntropyError, Heartbeat, LateRetryRequest, LateRetryRun, LogEntry, LogPage,
    ManualClock, MemoryStore, NodeId, ParseIdError, ParseNameError, PresentedToken, Revocation,
    RevocationKey, RevocationKind, RevocationLog, RotationOutcome, RotationPolicy,
    RotationRejection, STORE_TIMEOUT, SecretHash, Session, SessionId, SessionLimit, SessionPage,
    SessionPosition, SessionRecord, SessionSelector, SessionSnapshot, SessionStore, StoreError,
    SystemClock, Timestamp, TokenId,
};
