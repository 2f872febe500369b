//! Thumbprints of public keys (RFC 7638).

use super::crypto::{self, PublicComponents};
use super::{Algorithm, encode_base64url};

/// Returns the SHA-256 thumbprint (RFC 7638 §3, RFC 9964 §6): the hash of the required members in lexicographic order,
/// without white space.
pub(super) fn thumbprint(algorithm: Algorithm, components: &PublicComponents) -> String {
    let crv = curve(algorithm);
    let json = match components {
        PublicComponents::Rsa { n, e } => {
            let (n, e) = (encode_base64url(n), encode_base64url(e));
            format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
        }
        PublicComponents::Ec { x, y } => {
            let (x, y) = (encode_base64url(x), encode_base64url(y));
            format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
        }
        PublicComponents::Ed { x } => {
            let x = encode_base64url(x);
            format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#)
        }
        PublicComponents::MlDsa { public } => {
            let public = encode_base64url(public);
            format!(r#"{{"alg":"{algorithm}","kty":"AKP","pub":"{public}"}}"#)
        }
    };
    encode_base64url(&crypto::sha256(&[json.as_bytes()]))
}

/// Returns the curve of an algorithm's keys, as the member `crv` names it, or nothing if they have none.
pub(super) fn curve(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::ES256 => "P-256",
        Algorithm::ES384 => "P-384",
        Algorithm::ES512 => "P-521",
        Algorithm::EdDSA | Algorithm::Ed25519 => "Ed25519",
        _ => "",
    }
}
