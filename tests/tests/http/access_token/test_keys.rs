//! Keys of every algorithm, for the library and for the other implementation.

use aws_lc_rs::signature::{
    ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, ML_DSA_44,
    ML_DSA_44_SIGNING, ML_DSA_65, ML_DSA_65_SIGNING, ML_DSA_87, ML_DSA_87_SIGNING, PqdsaKeyPair,
};
use jsonwebtoken::{DecodingKey, EncodingKey};
use tower_jwt_auth::{Algorithm, SigningKey, VerifyingKey};
use tower_jwt_auth_tests::TokenSigner;
use tower_jwt_auth_tests::token_builder::TokenVerifier;

macro_rules! key {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/keys/", $name, ".pem"))
    };
}
pub(crate) use key;

pub(crate) const SECRET: [u8; 64] =
    *b"sixty-four bytes that only the issuer and its verifiers ever see";
pub(crate) const OTHER_SECRET: [u8; 64] =
    *b"sixty-four bytes of another issuer, which our verifiers lack ...";

pub(crate) fn is_hmac(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)
}

/// Returns the private key for an algorithm, and another one of the same kind.
fn private_pems(algorithm: Algorithm) -> [&'static [u8]; 2] {
    match algorithm {
        Algorithm::ES256 => [key!("p256"), key!("p256-other")],
        Algorithm::ES384 => [key!("p384"), key!("p384-other")],
        Algorithm::ES512 => [key!("p521"), key!("p521-other")],
        Algorithm::EdDSA | Algorithm::Ed25519 => [key!("ed25519"), key!("ed25519-other")],
        Algorithm::MlDsa44 => [key!("mldsa44"), key!("mldsa44-other")],
        Algorithm::MlDsa65 => [key!("mldsa65"), key!("mldsa65-other")],
        Algorithm::MlDsa87 => [key!("mldsa87"), key!("mldsa87-other")],
        _ => [key!("rsa"), key!("rsa-other")],
    }
}

pub(crate) fn public_pem(algorithm: Algorithm) -> &'static [u8] {
    match algorithm {
        Algorithm::ES256 => key!("p256-public"),
        Algorithm::ES384 => key!("p384-public"),
        Algorithm::ES512 => key!("p521-public"),
        Algorithm::EdDSA | Algorithm::Ed25519 => key!("ed25519-public"),
        Algorithm::MlDsa44 => key!("mldsa44-public"),
        Algorithm::MlDsa65 => key!("mldsa65-public"),
        Algorithm::MlDsa87 => key!("mldsa87-public"),
        _ => key!("rsa-public"),
    }
}

pub(crate) fn signing_key(algorithm: Algorithm) -> SigningKey {
    if is_hmac(algorithm) {
        return SigningKey::from_secret(algorithm, &SECRET).unwrap();
    }
    SigningKey::from_pem(algorithm, private_pems(algorithm)[0]).unwrap()
}

/// Returns another key of the same kind.
pub(crate) fn signing_key_of_another(algorithm: Algorithm) -> SigningKey {
    SigningKey::from_pem(algorithm, private_pems(algorithm)[1]).unwrap()
}

pub(crate) fn verifying_key(algorithm: Algorithm) -> VerifyingKey {
    if is_hmac(algorithm) {
        return VerifyingKey::from_secret(algorithm, &SECRET).unwrap();
    }
    VerifyingKey::from_pem(algorithm, public_pem(algorithm)).unwrap()
}

/// Returns the algorithm in the other implementation, which does not know the newer name of EdDSA.
fn named(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Ed25519 => jsonwebtoken::Algorithm::EdDSA,
        algorithm => algorithm.as_str().parse().unwrap(),
    }
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
        Algorithm::ES512 => {
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, &der(pem));
            return TokenSigner::ec(key.unwrap());
        }
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => {
            let signing = match algorithm {
                Algorithm::MlDsa44 => &ML_DSA_44_SIGNING,
                Algorithm::MlDsa65 => &ML_DSA_65_SIGNING,
                _ => &ML_DSA_87_SIGNING,
            };
            return TokenSigner::ml_dsa(PqdsaKeyPair::from_pkcs8(signing, &der(pem)).unwrap());
        }
        Algorithm::EdDSA | Algorithm::Ed25519 => EncodingKey::from_ed_pem(pem).unwrap(),
        _ => EncodingKey::from_rsa_pem(pem).unwrap(),
    };
    TokenSigner::new(named(algorithm), key)
}

/// Returns the verifier of the other implementation.
pub(crate) fn verifier(algorithm: Algorithm) -> TokenVerifier {
    let pem = public_pem(algorithm);
    let key = match algorithm {
        Algorithm::ES512 => return TokenVerifier::Direct(&ECDSA_P521_SHA512_FIXED, der(pem)),
        Algorithm::MlDsa44 => return TokenVerifier::Direct(&ML_DSA_44, der(pem)),
        Algorithm::MlDsa65 => return TokenVerifier::Direct(&ML_DSA_65, der(pem)),
        Algorithm::MlDsa87 => return TokenVerifier::Direct(&ML_DSA_87, der(pem)),
        _ if is_hmac(algorithm) => DecodingKey::from_secret(&SECRET),
        Algorithm::ES256 | Algorithm::ES384 => DecodingKey::from_ec_pem(pem).unwrap(),
        Algorithm::EdDSA | Algorithm::Ed25519 => DecodingKey::from_ed_pem(pem).unwrap(),
        _ => DecodingKey::from_rsa_pem(pem).unwrap(),
    };
    TokenVerifier::Independent(named(algorithm), key)
}

/// Returns the binary content of a PEM file.
pub(crate) fn der(pem: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(pem).unwrap();
    let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64_simd::STANDARD.decode_to_vec(base64).unwrap()
}
