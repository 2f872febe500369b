//! Public keys as SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7).

use super::crypto::PublicComponents;
use crate::algorithm::{Algorithm, Family};

/// Parses a public key: SPKI, for RSA also PKCS#1.
pub(super) fn parse(algorithm: Algorithm, der: &[u8]) -> Option<PublicComponents> {
    if algorithm.family() == Family::Rsa {
        return PublicComponents::from_rsa_der(der).ok();
    }
    // DER encodes a key of one kind in one way: all bytes before the key are the same. Curves are named (RFC 5480
    // §2.1.1), and their points are not compressed, as in a JWK.
    let key = der.strip_prefix(prefix(algorithm))?;
    match algorithm.family() {
        Family::Hmac | Family::Rsa => None,
        Family::Ec => PublicComponents::from_point(key),
        Family::Ed => Some(PublicComponents::Ed { x: key.to_vec() }),
        Family::MlDsa => Some(PublicComponents::MlDsa { public: key.to_vec() }),
    }
}

/// Returns the bytes before the key: the identifier of its kind, and lengths. RSA keys and secrets have no such prefix.
fn prefix(algorithm: Algorithm) -> &'static [u8] {
    match algorithm {
        Algorithm::ES256 => {
            b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"
        }
        Algorithm::ES384 => {
            b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00"
        }
        Algorithm::ES512 => {
            b"\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00"
        }
        // RFC 8410 §4.
        Algorithm::EdDSA | Algorithm::Ed25519 => b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
        // RFC 9881 §4.
        Algorithm::MlDsa44 => {
            b"\x30\x82\x05\x32\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11\x03\x82\x05\x21\x00"
        }
        Algorithm::MlDsa65 => {
            b"\x30\x82\x07\xb2\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12\x03\x82\x07\xa1\x00"
        }
        Algorithm::MlDsa87 => {
            b"\x30\x82\x0a\x32\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13\x03\x82\x0a\x21\x00"
        }
        _ => b"",
    }
}
