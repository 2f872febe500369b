//! Crashes in the middle of refreshes and logouts: `kill -9` of the process over SQLite, and of the server of
//! PostgreSQL and Redis, many times over. No logout that was acknowledged is undone, no client that got an answer
//! is locked out, and no session forks.
//!
//! Clients refresh and log out all the while, and keep what a browser's cookie jar would keep ([`client`]). What
//! they were answered is written down and held against all that came before ([`ledger`]), against the rows and the
//! log ([`audit`]), and in the end against a node that knows nothing but the store ([`verdict`]).
//!
//! `kill -9` takes the process and leaves the machine: what the kernel has in its cache survives. That each write
//! is synced to the disk is not shown here.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod audit;
mod client;
mod dice;
mod event;
mod late;
mod ledger;
mod node;
mod postgres;
mod redis;
mod sqlite;
mod storm;
mod verdict;
