//! Crashes during refreshes and logouts: repeated `kill -9` of the process with SQLite, and of the server with
//! PostgreSQL and Redis. No acknowledged logout is undone, no client that got a response is locked out, and no session
//! forks.
//!
//! Clients refresh and log out, and keep the cookies that a browser would keep ([`client`]). Each response is recorded
//! and compared with all earlier ones ([`history`]), with the rows and the log ([`audit`]), and at the end with a node
//! that has only the store ([`final_checks`]).
//!
//! `kill -9` ends the process but not the machine, so data in the kernel's cache survives. These tests do not show that
//! each write is synced to the disk.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod audit;
mod client;
mod event;
mod final_checks;
mod history;
mod late_retry;
mod node;
mod postgres;
mod redis;
mod rng;
mod server_crashes;
mod sqlite;
