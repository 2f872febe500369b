//! JSON Web Keys (RFC 7517).

use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters,
    EllipticCurveKeyType, Jwk, JwkSet, KeyAlgorithm, OctetKeyPairParameters, OctetKeyPairType,
    PublicKeyUse, RSAKeyParameters, RSAKeyType,
};

use serde::Deserialize;

use super::crypto::{self, PublicComponents, coordinate_length};
use super::{Algorithm, VerifyingKey, decode_base64url, encode_base64url};
use crate::error::ConfigError;

/// Returns the curve of an algorithm's keys. It is unused for RSA and HMAC.
fn curve(algorithm: Algorithm) -> (&'static str, EllipticCurve) {
    match algorithm {
        Algorithm::ES384 => ("P-384", EllipticCurve::P384),
        Algorithm::ES256 => ("P-256", EllipticCurve::P256),
        Algorithm::EdDSA => ("Ed25519", EllipticCurve::Ed25519),
        Algorithm::HS256
        | Algorithm::HS384
        | Algorithm::HS512
        | Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => ("", EllipticCurve::default()),
    }
}

/// Returns the SHA-256 thumbprint (RFC 7638 §3): the hash of the required members in lexicographic order, without white
/// space.
pub(super) fn thumbprint(algorithm: Algorithm, components: &PublicComponents) -> String {
    let crv = curve(algorithm).0;
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
    };
    encode_base64url(&crypto::sha256(&[json.as_bytes()]))
}

/// Returns the JWK of a public key, or `None` for a secret.
fn to_jwk(key: &VerifyingKey) -> Option<Jwk> {
    let (_, curve) = curve(key.algorithm());
    let algorithm = match key.public_components()? {
        PublicComponents::Rsa { n, e } => AlgorithmParameters::RSA(RSAKeyParameters {
            key_type: RSAKeyType::RSA,
            n: encode_base64url(n),
            e: encode_base64url(e),
        }),
        PublicComponents::Ec { x, y } => {
            AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters {
                key_type: EllipticCurveKeyType::EC,
                curve,
                x: encode_base64url(x),
                y: encode_base64url(y),
            })
        }
        PublicComponents::Ed { x } => AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
            key_type: OctetKeyPairType::OctetKeyPair,
            curve,
            x: encode_base64url(x),
        }),
    };
    let key_algorithm = key.algorithm().as_str().parse::<KeyAlgorithm>().ok();
    let common = CommonParameters {
        public_key_use: Some(PublicKeyUse::Signature),
        key_algorithm,
        key_id: Some(key.key_id().to_owned()),
        ..CommonParameters::default()
    };
    Some(Jwk { common, algorithm })
}

/// Returns the JWK set of the public keys.
pub(crate) fn to_jwks<'a>(keys: impl Iterator<Item = &'a VerifyingKey>) -> String {
    let set = JwkSet { keys: keys.filter_map(to_jwk).collect() };
    // A struct of strings always serializes.
    serde_json::to_string(&set).unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned())
}

/// Returns the keys of a JWK set that are for signatures and of a supported kind. Others, and malformed ones, are
/// ignored (RFC 7517 §5), so that one of them does not make the others unusable.
pub(super) fn from_jwks(json: &str) -> Result<Vec<VerifyingKey>, ConfigError> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_str(json)
        .map_err(|_| ConfigError::Jwks { problem: "expected an object with the member keys" })?;
    let mut keys = Vec::new();
    for jwk in set.keys {
        let key = Jwk::deserialize(jwk)
            .map_err(|_| ConfigError::Jwks { problem: "a key is not a JWK" })
            .and_then(|jwk| from_jwk(&jwk));
        match key {
            Ok(Some(key)) if keys.iter().any(|other: &VerifyingKey| other.is_same(&key)) => {}
            Ok(key) => keys.extend(key),
            Err(error) => tracing::warn!(%error, "ignored a malformed key of a JWK set"),
        }
    }
    Ok(keys)
}

fn from_jwk(jwk: &Jwk) -> Result<Option<VerifyingKey>, ConfigError> {
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return Ok(None);
    }
    let named = match jwk.common.key_algorithm {
        None => None,
        Some(name) => match name.to_string().parse().ok() {
            Some(algorithm) => Some(algorithm),
            None => return Ok(None),
        },
    };
    let bytes = |text: &str| {
        decode_base64url(text)
            .ok_or(ConfigError::Jwks { problem: "a key parameter is not base64url" })
    };
    let (default, components) = match &jwk.algorithm {
        // Without `alg` an RSA key could be for six algorithms, but a key must be used with one alone (RFC 8725 §3.1).
        AlgorithmParameters::RSA(key) => {
            (Algorithm::RS256, PublicComponents::Rsa { n: bytes(&key.n)?, e: bytes(&key.e)? })
        }
        AlgorithmParameters::EllipticCurve(key) => {
            let algorithm = match key.curve {
                EllipticCurve::P256 => Algorithm::ES256,
                EllipticCurve::P384 => Algorithm::ES384,
                _ => return Ok(None),
            };
            (algorithm, PublicComponents::Ec { x: bytes(&key.x)?, y: bytes(&key.y)? })
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, PublicComponents::Ed { x: bytes(&key.x)? })
        }
        // Secrets, and kinds and curves that are not supported.
        _ => return Ok(None),
    };
    let algorithm = named.unwrap_or(default);
    let fits = algorithm.family() == default.family()
        && coordinate_length(algorithm) == coordinate_length(default);
    if !fits {
        return Err(ConfigError::Jwks { problem: "the alg of a key does not fit its kty and crv" });
    }
    let key = VerifyingKey::from_public_components(algorithm, components)?;
    Ok(Some(match &jwk.common.key_id {
        Some(key_id) => key.with_key_id(key_id),
        None => key,
    }))
}
