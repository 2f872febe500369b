//! Shared parts of the end-to-end tests: a [`Harness`] of services on a clock that stands still, a
//! [`TokenSigner`] that makes tokens with another implementation, a [`FaultyStore`] that fails on demand, a
//! [capture of the log](log_capture) that is searched for secrets, and [servers] of their own.
#![allow(missing_docs, missing_debug_implementations, clippy::unwrap_used, clippy::expect_used)]

pub mod faulty_store;
pub mod harness;
pub mod log_capture;
pub mod response;
pub mod servers;
pub mod token_builder;
pub mod util;

pub use faulty_store::{Fault, FaultyStore};
pub use harness::{AUDIENCE, Harness, ISSUER, Profile, START};
pub use response::TestResponse;
pub use token_builder::{TokenBuilder, TokenSigner};

/// The README, whose Rust code compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
