//! Keys that sign and verify tokens.
//!
//! # Secrets in memory
//!
//! Wiped on drop:
//!
//! - private keys and shared secrets in [`SigningKey`], [`VerifyingKey`] and [`RefreshSecrets`]: aws-lc overwrites them
//!   when it frees them;
//! - the PEM text of [`SigningKey::generate_pem`], generated secrets, and keys derived from a secret;
//! - refresh tokens ([`RefreshToken`](crate::tokens::RefreshToken)) and the buffers in which they are encoded and
//!   decoded.
//!
//! Not wiped:
//!
//! - the slices that the application passes to constructors such as [`SigningKey::from_pem`];
//! - the copies that `jsonwebtoken` makes while it parses a private key in PEM: it wipes the result but not the
//!   intermediate buffers ([`SigningKey::from_der`] makes no copies);
//! - access tokens, and the copies of any token in requests, responses and the buffers of the HTTP server;
//! - values that the compiler moves or spills to the stack.

pub(crate) mod crypto;
pub(crate) mod jwk;
#[cfg(feature = "jwks")]
mod remote;
mod set;
mod signing;
mod source;
mod verifying;

#[cfg(feature = "jwks")]
pub use self::remote::{FetchErrorKind, RemoteKeySet, RemoteKeySetBuilder, RemoteKeySetStatus};
pub use self::set::KeySet;
pub use self::signing::{RefreshSecrets, SigningKey};
pub use self::source::KeySource;
pub(crate) use self::source::{NewerKeys, SignedMessage, VerifyError};
pub use self::verifying::VerifyingKey;
pub use crate::algorithm::Algorithm;

use crate::error::ConfigError;

/// Returns the length of the HMAC's hash in bytes if the secret is at least as long (RFC 7518 §3.2).
fn check_secret_length(algorithm: Algorithm, secret: &[u8]) -> Result<usize, ConfigError> {
    let min = algorithm.hmac_length().ok_or(ConfigError::Key {
        algorithm,
        expected: "a key pair: only HS256, HS384 and HS512 take a secret",
    })?;
    if secret.len() < min {
        return Err(ConfigError::SecretTooShort { algorithm, min, length: secret.len() });
    }
    Ok(min)
}

pub(crate) fn encode_base64url(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

pub(crate) fn append_base64url(bytes: &[u8], text: &mut String) {
    base64_simd::URL_SAFE_NO_PAD.encode_append(bytes, text);
}

pub(crate) fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}
