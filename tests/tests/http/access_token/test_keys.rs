//! Keys of every algorithm, for the library and for the other implementation.

use jsonwebtoken::{DecodingKey, EncodingKey};
use tower_jwt_auth::{Algorithm, SigningKey, VerifyingKey};
use tower_jwt_auth_tests::TokenSigner;

macro_rules! key {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/keys/", $name, ".pem"))
    };
}
pub(crate) use key;

pub(crate) const SECRET: [u8; 64] =
    *b"sixty-four bytes that only the issuer and its verifiers ever see";
pub(crate) const OTHER_SECRET: [u8; 64] = [9; 64];

pub(crate) fn is_hmac(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)
}

/// Returns the private key for an algorithm, and another one of the same kind.
fn private_pems(algorithm: Algorithm) -> [&'static [u8]; 2] {
    match algorithm {
        Algorithm::ES256 => [key!("p256"), key!("p256-other")],
        Algorithm::ES384 => [key!("p384"), key!("p384-other")],
        Algorithm::EdDSA => [key!("ed25519"), key!("ed25519-other")],
        _ => [key!("rsa"), key!("rsa-other")],
    }
}

pub(crate) fn public_pem(algorithm: Algorithm) -> &'static [u8] {
    match algorithm {
        Algorithm::ES256 => key!("p256-public"),
        Algorithm::ES384 => key!("p384-public"),
        Algorithm::EdDSA => key!("ed25519-public"),
        _ => key!("rsa-public"),
    }
}

pub(crate) fn signing_key(algorithm: Algorithm) -> SigningKey {
    if is_hmac(algorithm) {
        return SigningKey::from_secret(algorithm, &SECRET).unwrap();
    }
    SigningKey::from_pem(algorithm, private_pems(algorithm)[0]).unwrap()
}

pub(crate) fn verifying_key(algorithm: Algorithm) -> VerifyingKey {
    if is_hmac(algorithm) {
        return VerifyingKey::from_secret(algorithm, &SECRET).unwrap();
    }
    VerifyingKey::from_pem(algorithm, public_pem(algorithm)).unwrap()
}

/// Returns the algorithm in the other implementation.
pub(crate) fn named(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    algorithm.as_str().parse().unwrap()
}

pub(crate) fn signer(algorithm: Algorithm) -> TokenSigner {
    signer_with(algorithm, &SECRET, private_pems(algorithm)[0])
}

pub(crate) fn signer_of_another(algorithm: Algorithm) -> TokenSigner {
    signer_with(algorithm, &OTHER_SECRET, private_pems(algorithm)[1])
}

pub(crate) fn signer_with(algorithm: Algorithm, secret: &[u8], pem: &[u8]) -> TokenSigner {
    let key = match algorithm {
        _ if is_hmac(algorithm) => EncodingKey::from_secret(secret),
        Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_pem(pem).unwrap(),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(pem).unwrap(),
        _ => EncodingKey::from_rsa_pem(pem).unwrap(),
    };
    TokenSigner::new(named(algorithm), key)
}

/// Returns the verifying key for the other implementation.
pub(crate) fn decoding_key(algorithm: Algorithm) -> DecodingKey {
    let pem = public_pem(algorithm);
    match algorithm {
        _ if is_hmac(algorithm) => DecodingKey::from_secret(&SECRET),
        Algorithm::ES256 | Algorithm::ES384 => DecodingKey::from_ec_pem(pem).unwrap(),
        Algorithm::EdDSA => DecodingKey::from_ed_pem(pem).unwrap(),
        _ => DecodingKey::from_rsa_pem(pem).unwrap(),
    }
}

/// Returns the binary content of a PEM file.
pub(crate) fn der(pem: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(pem).unwrap();
    let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64_simd::STANDARD.decode_to_vec(base64).unwrap()
}
