//! HTTP: tokens, cookies and origins in requests, challenges in responses.

pub(crate) mod challenge;
pub(crate) mod cookies;
pub(crate) mod origin;
pub(crate) mod token_source;
