//! Keys: to sign with, to verify with, in sets and rings.

pub(crate) mod crypto;
pub(crate) mod jwk;
mod set;
mod signing;
mod verifying;

pub use self::set::KeySet;
pub use self::signing::{RefreshSecrets, SigningKey};
pub use self::verifying::VerifyingKey;
pub use crate::algorithm::Algorithm;

use crate::error::ConfigError;

/// The length of the HMAC's hash, when the secret is at least as long (RFC 7518 §3.2).
fn check_secret_length(algorithm: Algorithm, secret: &[u8]) -> Result<usize, ConfigError> {
    let least = algorithm.hmac_length().ok_or(ConfigError::Key {
        algorithm,
        expected: "a key pair: only HS256, HS384 and HS512 take a secret",
    })?;
    if secret.len() < least {
        return Err(ConfigError::SecretTooShort { algorithm, least, length: secret.len() });
    }
    Ok(least)
}

pub(crate) fn encode_base64url(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

pub(crate) fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}
