//! Histories: generated steps over sessions, their store and the revocation lists of two nodes, with faults and
//! clock steps, each answer judged by a plain reference.
//!
//! `PROPTEST_CASES` sets how many histories run in memory. A failure prints the shortest history that was found
//! and the seed, which `PROPTEST_RNG_SEED` takes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod calls;
mod clients;
mod clocks;
mod ends;
mod engines;
mod reference;
mod refreshes;
mod run;
mod sign_ins;
mod steps;
