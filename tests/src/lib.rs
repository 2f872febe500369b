//! Shared parts of the end-to-end tests: a [`Harness`] of services on a manual clock, a [`TokenSigner`] that signs
//! tokens with another implementation, a [`FaultyStore`] that fails on demand, a [capture of the log](log_capture)
//! that is searched for secrets, and real [servers].
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

/// The README, whose Rust code is compiled as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
