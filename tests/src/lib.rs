//! What the end-to-end tests share: a world of services on a clock that stands still, a forger that makes
//! tokens with another implementation, a store that fails on demand, a log that is searched for secrets, and
//! servers of its own.
#![allow(missing_docs, missing_debug_implementations, clippy::unwrap_used, clippy::expect_used)]

pub mod answer;
pub mod faulty;
pub mod forge;
pub mod logs;
pub mod servers;
pub mod world;

pub use answer::Answer;
pub use faulty::{Fault, FaultyStore};
pub use forge::Forge;
pub use world::{AUDIENCE, ISSUER, Profile, START, World};

/// The README, whose Rust code compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
