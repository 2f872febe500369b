//! The interface to the cryptographic library. Keys are parsed and checked once, at configuration.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm,
    EcdsaVerificationAlgorithm, Ed25519KeyPair, KeyPair, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, RsaParameters, RsaPublicKeyComponents,
};
use aws_lc_rs::{digest, hmac};
use zeroize::Zeroizing;

use super::Algorithm;
use crate::algorithm::Family;

/// The library rejected the key, or an operation failed.
#[derive(Debug)]
pub(crate) struct CryptoError;

/// The public components of a key, as a JWK contains them (RFC 7518 §6, RFC 8037 §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicComponents {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { x: Vec<u8>, y: Vec<u8> },
    Ed { x: Vec<u8> },
}

/// A private key or secret, ready to sign.
#[expect(clippy::large_enum_variant, reason = "each key has one, behind an Arc")]
pub(crate) enum Signer {
    Hmac(hmac::Key),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A public key or secret, ready to verify.
#[expect(clippy::large_enum_variant, reason = "each key has one, behind an Arc")]
pub(crate) enum VerifierKey {
    Hmac(hmac::Key),
    Public(ParsedPublicKey),
}

fn hmac_algorithm(algorithm: Algorithm) -> Result<hmac::Algorithm, CryptoError> {
    match algorithm {
        Algorithm::HS256 => Ok(hmac::HMAC_SHA256),
        Algorithm::HS384 => Ok(hmac::HMAC_SHA384),
        Algorithm::HS512 => Ok(hmac::HMAC_SHA512),
        _ => Err(CryptoError),
    }
}

fn rsa_algorithms(
    algorithm: Algorithm,
) -> Result<(&'static dyn RsaEncoding, &'static RsaParameters), CryptoError> {
    match algorithm {
        Algorithm::RS256 => Ok((&RSA_PKCS1_SHA256, &RSA_PKCS1_2048_8192_SHA256)),
        Algorithm::RS384 => Ok((&RSA_PKCS1_SHA384, &RSA_PKCS1_2048_8192_SHA384)),
        Algorithm::RS512 => Ok((&RSA_PKCS1_SHA512, &RSA_PKCS1_2048_8192_SHA512)),
        Algorithm::PS256 => Ok((&RSA_PSS_SHA256, &RSA_PSS_2048_8192_SHA256)),
        Algorithm::PS384 => Ok((&RSA_PSS_SHA384, &RSA_PSS_2048_8192_SHA384)),
        Algorithm::PS512 => Ok((&RSA_PSS_SHA512, &RSA_PSS_2048_8192_SHA512)),
        _ => Err(CryptoError),
    }
}

fn ec_algorithms(
    algorithm: Algorithm,
) -> Result<(&'static EcdsaSigningAlgorithm, &'static EcdsaVerificationAlgorithm), CryptoError> {
    match algorithm {
        Algorithm::ES256 => Ok((&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P256_SHA256_FIXED)),
        Algorithm::ES384 => Ok((&ECDSA_P384_SHA384_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED)),
        _ => Err(CryptoError),
    }
}

/// Returns the length in bytes of one coordinate of a point on the algorithm's curve, or `None` if it is not ECDSA.
pub(crate) fn coordinate_length(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::ES256 => Some(32),
        Algorithm::ES384 => Some(48),
        _ => None,
    }
}

impl Signer {
    /// Creates a key from a shared secret whose length has been checked.
    pub(crate) fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self::Hmac(hmac::Key::new(hmac_algorithm(algorithm)?, secret)))
    }

    /// Parses a private key: PKCS#8, for RSA also PKCS#1.
    pub(crate) fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, CryptoError> {
        match algorithm.family() {
            Family::Hmac => Err(CryptoError),
            Family::Rsa => {
                let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
                Ok(Self::Rsa(pair.map_err(|_| CryptoError)?, rsa_algorithms(algorithm)?.0))
            }
            Family::Ec => EcdsaKeyPair::from_pkcs8(ec_algorithms(algorithm)?.0, der)
                .map(Self::Ec)
                .map_err(|_| CryptoError),
            Family::Ed => Ed25519KeyPair::from_pkcs8(der).map(Self::Ed).map_err(|_| CryptoError),
        }
    }

    /// Generates a key pair; for RSA one of 2048 bits.
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, CryptoError> {
        match algorithm.family() {
            Family::Hmac => Err(CryptoError),
            Family::Rsa => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| CryptoError)?;
                Ok(Self::Rsa(pair, rsa_algorithms(algorithm)?.0))
            }
            Family::Ec => EcdsaKeyPair::generate(ec_algorithms(algorithm)?.0)
                .map(Self::Ec)
                .map_err(|_| CryptoError),
            Family::Ed => Ed25519KeyPair::generate().map(Self::Ed).map_err(|_| CryptoError),
        }
    }

    /// Generates an Ed25519 key in DER: PKCS#8 of version 1, which every library reads (RFC 8410 §7). The document is
    /// wiped on drop.
    pub(crate) fn generate_pkcs8() -> Result<impl AsRef<[u8]>, CryptoError> {
        Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(|_| CryptoError)
    }

    /// Returns the components that may be published, or `None` for a shared secret.
    pub(crate) fn public_components(&self) -> Option<PublicComponents> {
        match self {
            Self::Hmac(_) => None,
            Self::Rsa(pair, _) => {
                let RsaPublicKeyComponents { n, e } =
                    RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                Some(PublicComponents::Rsa { n, e })
            }
            Self::Ec(pair) => PublicComponents::from_point(pair.public_key().as_ref()),
            Self::Ed(pair) => Some(PublicComponents::Ed { x: pair.public_key().as_ref().to_vec() }),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let random = SystemRandom::new();
        match self {
            Self::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map_err(|_| CryptoError)?;
                Ok(signature)
            }
            Self::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| CryptoError)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Ed(pair) => {
                let signature = pair.try_sign(message).map_err(|_| CryptoError)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

impl VerifierKey {
    /// Creates a key from a shared secret whose length has been checked.
    pub(crate) fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self::Hmac(hmac::Key::new(hmac_algorithm(algorithm)?, secret)))
    }

    /// Creates a key from public components. A point that is not on the curve, or a key of another kind, is rejected.
    pub(crate) fn from_public(
        algorithm: Algorithm,
        components: &PublicComponents,
    ) -> Result<Self, CryptoError> {
        let key = match components {
            PublicComponents::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n: n.as_slice(), e: e.as_slice() };
                key.to_parsed_public_key(rsa_algorithms(algorithm)?.1)
            }
            PublicComponents::Ec { x, y } => {
                let length = coordinate_length(algorithm);
                if Some(x.len()) != length || Some(y.len()) != length {
                    return Err(CryptoError);
                }
                let point = [&[4][..], x, y].concat();
                ParsedPublicKey::new(ec_algorithms(algorithm)?.1, point)
            }
            PublicComponents::Ed { x } if algorithm == Algorithm::EdDSA && x.len() == 32 => {
                ParsedPublicKey::new(&ED25519, x)
            }
            PublicComponents::Ed { .. } => return Err(CryptoError),
        };
        key.map(Self::Public).map_err(|_| CryptoError)
    }

    /// Checks that this is a public key for the algorithm in DER and nothing else.
    pub(crate) fn check_der(algorithm: Algorithm, der: &[u8]) -> Result<(), CryptoError> {
        let key = match algorithm.family() {
            Family::Hmac => return Err(CryptoError),
            Family::Rsa => ParsedPublicKey::new(rsa_algorithms(algorithm)?.1, der),
            Family::Ec => ParsedPublicKey::new(ec_algorithms(algorithm)?.1, der),
            Family::Ed => ParsedPublicKey::new(&ED25519, der),
        };
        key.map(drop).map_err(|_| CryptoError)
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        match self {
            Self::Hmac(key) => hmac::verify(key, message, signature),
            Self::Public(key) => key.verify_sig(message, signature),
        }
        .map_err(|_| CryptoError)
    }
}

impl PublicComponents {
    /// Parses an uncompressed point (SEC 1 §2.3.4).
    pub(crate) fn from_point(point: &[u8]) -> Option<Self> {
        let coordinates = point.strip_prefix(&[4])?;
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        Some(Self::Ec { x: x.to_vec(), y: y.to_vec() })
    }

    /// Parses an RSA public key: SPKI or PKCS#1.
    pub(crate) fn from_rsa_der(der: &[u8]) -> Result<Self, CryptoError> {
        let key = aws_lc_rs::rsa::PublicKey::from_der(der).map_err(|_| CryptoError)?;
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(&key);
        Ok(Self::Rsa { n, e })
    }
}

/// Returns the SHA-256 hash of the concatenated parts.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    // Both have 32 bytes, the length of SHA-256.
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// Returns the HMAC with SHA-256 of a label, to derive keys and key ids from a secret.
pub(crate) fn hmac_sha256(secret: &[u8], label: &[u8]) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut hash = Zeroizing::new([0; 32]);
    // Not `hmac::sign`: its tag is not wiped.
    hmac::sign_to_buffer(&key, label, hash.as_mut_slice()).map_err(|_| CryptoError)?;
    Ok(hash)
}

/// Returns random bytes of a generator that the operating system seeds.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, CryptoError> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| CryptoError)?;
    Ok(bytes)
}
