//! Vocabulary, pure rules and store traits of `tower-jwt-auth`.
//!
//! This crate is what the author of a session store depends on. It has no HTTP, no cryptography and no
//! runtime, and it changes rarely.
//!
//! - [`Session`] is one sign-in on one device, and [`Session::evaluate`] the rule that says what becomes of a
//!   presented refresh token: a pure function, the same over every store.
//! - [`SessionStore`] and [`RevocationLog`] are what a store promises; [`MemoryStore`] keeps that promise in
//!   one process.
//! - [`Revocation`] names what was taken back: a token, a session, or the older tokens of a subject.
//! - [`Timestamp`] and [`Clock`] bring time in from outside, so that every rule can be tested at any instant.
//!
//! With the feature `conformance`, [`store_conformance!`] runs the whole contract against a store of yours.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod change_signal;
mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod id;
mod memory;
mod paging;
mod revocation;
mod rotation;
mod session;
mod store;
mod time;

pub use self::change_signal::ChangeSignal;
pub use self::clock::{Clock, ManualClock, SystemClock};
pub use self::id::{EntropyError, NodeId, ParseIdError, SessionId, TokenId};
pub use self::memory::MemoryStore;
pub use self::paging::{EndBatch, EndedBatch, SessionPage, SessionPosition};
pub use self::revocation::{
    Cursor, Heartbeat, LogEntry, LogPage, ParseNameError, Revocation, RevocationKey, RevocationKind,
};
pub use self::rotation::{
    AdvanceRequest, LateRetryRequest, LateRetryRun, PresentedToken, RotationOutcome,
    RotationPolicy, RotationRejection,
};
pub use self::session::{
    ClientInfo, EndReason, Ended, SecretHash, Session, SessionLimit, SessionRecord,
};
pub use self::store::{
    RevocationLog, STORE_TIMEOUT, SessionSelector, SessionSnapshot, SessionStore, StoreError,
};
pub use self::time::Timestamp;
