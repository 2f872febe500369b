//! The application as its users meet it: the real binary, over a socket.
#![allow(clippy::unwrap_used)]

mod api;
mod client;
mod log;
mod login;
mod server;
mod serving;
mod sessions;
mod start;
