//! Histories: generated calls of two nodes with a common store, with faults and changes of the clocks. A simple
//! reference checks each response.
//!
//! `PROPTEST_CASES` sets the number of histories in memory. A failure prints the shortest failing history found and
//! its seed. `PROPTEST_RNG_SEED` sets the seed.
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
