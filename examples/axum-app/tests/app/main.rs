//! The application as a client sees it: the real binary, over a socket.
#![allow(clippy::unwrap_used)]

mod api;
mod client;
mod files;
mod fleet;
mod key_rotation;
mod keys;
mod log;
mod login;
mod server;
mod serving;
mod sessions;
mod slow_clients;
mod start;
mod stop;
mod store;
mod store_errors;
mod unprivileged;
mod workspace;
