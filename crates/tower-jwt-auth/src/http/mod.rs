//! What the services read of requests and write of responses: tokens, cookies, origins, challenges.

pub(crate) mod challenge;
pub(crate) mod cookies;
pub(crate) mod origin;
pub(crate) mod token_source;
