//! The behaviour contract: what a client on the wire sees, line by line. A test's name states the behaviour;
//! the comment above it names the line.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod caching;
mod choosing;
mod cookies;
mod finding;
mod joining;
mod judging;
mod kinds;
mod limits;
mod logging_out;
mod moved_cookies;
mod never;
mod refreshing;
mod resilience;
mod revoking;
mod signing_in;
mod skew;
mod socket;
