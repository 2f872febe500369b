//! The behaviour contract: what a client on the wire sees, line by line. A test's name states the behaviour;
//! the comment above it names the line.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod caching;
mod cookies;
mod finding;
mod judging;
mod kinds;
mod limits;
mod never;
mod refreshing;
mod resilience;
mod revoking;
mod skew;
mod socket;
