//! The types, the rotation rule and the store traits of `tower-jwt-auth`, for authors of session stores.
//!
//! The crate has no HTTP, no cryptography and no runtime, and it changes rarely.
//!
//! - [`Session`] is a sign-in on one client. [`Session::evaluate`] is the rotation rule: a pure function that decides
//!   about a presented refresh token, the same over every store.
//! - [`SessionStore`] and [`RevocationLog`] state the contract of a store. [`MemoryStore`] implements it in one
//!   process.
//! - [`Revocation`] revokes a token, a session, or the older tokens of a subject.
//! - [`Timestamp`] and [`Clock`] pass time in from outside, so that every rule can be tested at any time.
//!
//! # Features
//!
//! Both are off by default.
//!
//! - `conformance`: the macro `store_conformance!`, which tests a store against the whole contract.
//! - `serde`: `Serialize` for [`Session`] (its public view), [`SessionPage`] and [`ClientInfo`]; `Serialize` and
//!   `Deserialize` for [`SessionId`], [`TokenId`], [`NodeId`], [`SessionPosition`] and [`Timestamp`].
#![cfg_attr(docsrs, feature(doc_cfg))]

mod change_signal;
mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod id;
mod log;
mod memory;
mod paging;
mod revocation;
mod rotation;
mod rotation_policy;
#[cfg(feature = "serde")]
mod serde;
mod session;
mod session_limit;
mod store;
mod time;

pub use self::change_signal::ChangeSignal;
pub use self::clock::{Clock, ManualClock, SystemClock};
pub use self::error::ParseNameError;
pub use self::id::{EntropyError, NodeId, ParseIdError, SessionId, TokenId};
pub use self::log::{Cursor, Heartbeat, LogEntry, LogPage};
pub use self::memory::MemoryStore;
pub use self::paging::{EndBatch, EndedBatch, SessionPage, SessionPosition};
pub use self::revocation::{Revocation, RevocationKey, RevocationKind};
pub use self::rotation::{
    AdvanceRequest, LateRetryRequest, PresentedToken, RotationOutcome, RotationRejection,
};
pub use self::rotation_policy::RotationPolicy;
pub use self::session::{
    ClientInfo, EndReason, Ended, LateRetryRun, SecretHash, Session, SessionRecord,
};
pub use self::session_limit::SessionLimit;
pub use self::store::{
    RevocationLog, STORE_TIMEOUT, SessionSelector, SessionSnapshot, SessionStore, StoreError,
};
pub use self::time::{Timestamp, TimestampRangeError};
