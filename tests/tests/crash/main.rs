//! Crashes in the middle of refreshes and logouts: `kill -9` of the process over SQLite, and of the server of
//! PostgreSQL and Redis, many times over. No logout that was acknowledged is undone, no client that got an answer
//! is locked out, and no session forks.
//!
//! Meanwhile clients refresh and log out, and keep what the cookie jar of a browser keeps ([`client`]). Each
//! response is recorded and compared with all earlier ones ([`history`]), with the rows and the log ([`audit`]),
//! and at the end with a node that has only the store ([`final_checks`]).
//!
//! `kill -9` takes the process and leaves the machine: what the kernel has in its cache survives. That each write
//! is synced to the disk is not shown here.
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
