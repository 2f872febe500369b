//! The stores on real engines: the conformance suite, and tests of behaviour that is specific to an engine.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod fleet;
mod postgres;
mod redis;
mod sqlite;
mod support;
