//! Tokens and keys of other implementations: `oidc-provider` on loopback, and `jose`, PyJWT and joserfc as makers and
//! verifiers of tokens. The name of a test states the behaviour.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod algorithms;
mod client;
mod discovery;
mod foreign_tokens;
mod id_tokens;
mod makers;
mod outage;
mod own_tokens;
mod resource_server;
mod rotation;
mod service;
mod test_keys;
