//! The behaviour over HTTP, by feature. The name of a test states the behaviour.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod access_token;
mod application_claims;
mod cache_headers;
mod clock_skew;
mod concurrency_limit;
mod config_errors;
mod external_signer;
mod foreign_tokens;
mod jwks;
mod key_rotation;
mod logout;
mod metadata;
mod over_tcp;
mod refresh;
mod refresh_cookie;
mod remote_keys;
mod revocation;
mod rfc_requirements;
mod runtime;
mod secrets_in_logs;
mod session_limit;
mod session_list;
mod sign_in;
mod store_timeout;
mod token_cache;
mod token_confusion;
mod token_source;
