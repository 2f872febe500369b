//! The refresh endpoint.

mod coalescing;
mod events;
mod expiry;
mod grace_window;
mod hook;
mod hook_failures;
mod late_retry;
mod races;
mod request;
mod reuse;
mod rotation;
mod secrets;
mod store_failures;

use tower_jwt_auth_tests::TestResponse;
use tower_jwt_auth_tests::token_builder::decode;

/// Returns the generation of the refresh token in a response.
fn generation(response: &TestResponse) -> u64 {
    decode(response.cookie_value().expect("the response should set the cookie"), 1)["gen"]
        .as_u64()
        .unwrap()
}

/// Returns the `jti` of a refresh token, computed by another implementation of SHA-256.
pub(crate) fn forged_id(sid: &[u8], generation: u64, sec: &[u8]) -> String {
    use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
    let bytes = [b"jti", sid, &generation.to_be_bytes(), sec].concat();
    let digest = DEFAULT_PROVIDER.key_utils.compute_digest;
    let hash = digest(&bytes, jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
    tower_jwt_auth_tests::token_builder::encode(&hash[..16])
}
