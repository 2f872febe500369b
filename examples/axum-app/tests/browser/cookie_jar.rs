//! The refresh token in the browser's cookie jar.

use serde_json::Value;

pub(crate) const COOKIE_NAME: &str = "__Host-refresh_token";

/// Returns the generation of a refresh token.
pub(crate) fn generation(token: &str) -> u64 {
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(claims).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["gen"].as_u64().unwrap()
}
