//! Thumbprints of public keys (RFC 7638).

use super::crypto::{self, PublicComponents};
use crate::algorithm::Algorithm;
use crate::base64url;

/// Returns the SHA-256 thumbprint (RFC 7638 §3, RFC 9964 §6): the hash of the required members in lexicographic order,
/// without white space.
pub(super) fn thumbprint(algorithm: Algorithm, components: &PublicComponents) -> String {
    let crv = curve(algorithm);
    let json = match components {
        PublicComponents::Rsa { n, e } => {
            let (n, e) = (base64url::encode(n), base64url::encode(e));
            format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
        }
        PublicComponents::Ec { x, y } => {
            let (x, y) = (base64url::encode(x), base64url::encode(y));
            format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
        }
        PublicComponents::Ed { x } => {
            let x = base64url::encode(x);
            format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#)
        }
        PublicComponents::MlDsa { public } => {
            let public = base64url::encode(public);
            format!(r#"{{"alg":"{algorithm}","kty":"AKP","pub":"{public}"}}"#)
        }
    };
    base64url::encode(&crypto::sha256(&[json.as_bytes()]))
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
