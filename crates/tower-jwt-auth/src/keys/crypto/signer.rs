use std::ops::Deref;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    EcdsaKeyPair, Ed25519KeyPair, KeyPair, PqdsaKeyPair, RsaEncoding, RsaKeyPair,
    RsaPublicKeyComponents,
};

use super::algorithms::{ec_algorithms, hmac_algorithm, ml_dsa_algorithms, rsa_algorithms};
use super::{CryptoError, PublicComponents};
use crate::algorithm::{Algorithm, Family};

/// A private key or secret, ready to sign.
#[expect(clippy::large_enum_variant, reason = "each key has one, behind an Arc")]
pub(crate) enum Signer {
    Hmac(hmac::Key),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

/// A signature. Those of HMAC, ECDSA and Ed25519 are on the stack.
pub(crate) enum Signature {
    Short { bytes: [u8; MAX_SHORT], length: usize },
    Long(Vec<u8>),
}

/// The length of a signature of ES512 (RFC 7518 §3.4).
const MAX_SHORT: usize = 132;

impl Signature {
    fn new(signature: &[u8]) -> Self {
        let mut bytes = [0; MAX_SHORT];
        match bytes.get_mut(..signature.len()) {
            Some(short) => short.copy_from_slice(signature),
            None => return Self::Long(signature.to_vec()),
        }
        Self::Short { bytes, length: signature.len() }
    }
}

impl Deref for Signature {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short { bytes, length } => &bytes[..*length],
            Self::Long(signature) => signature,
        }
    }
}

impl From<Vec<u8>> for Signature {
    fn from(signature: Vec<u8>) -> Self {
        Self::Long(signature)
    }
}

impl Signer {
    /// Creates a key from a shared secret that has been checked.
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
            Family::MlDsa => PqdsaKeyPair::from_pkcs8(ml_dsa_algorithms(algorithm)?.0, der)
                .map(Self::MlDsa)
                .map_err(|_| CryptoError),
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
            Family::MlDsa => PqdsaKeyPair::generate(ml_dsa_algorithms(algorithm)?.0)
                .map(Self::MlDsa)
                .map_err(|_| CryptoError),
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
                Some(PublicComponents::from_rsa_numbers(&n, &e))
            }
            Self::Ec(pair) => PublicComponents::from_point(pair.public_key().as_ref()),
            Self::Ed(pair) => Some(PublicComponents::Ed { x: pair.public_key().as_ref().to_vec() }),
            Self::MlDsa(pair) => {
                Some(PublicComponents::MlDsa { public: pair.public_key().as_ref().to_vec() })
            }
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
        let random = SystemRandom::new();
        match self {
            Self::Hmac(key) => Ok(Signature::new(hmac::sign(key, message).as_ref())),
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map_err(|_| CryptoError)?;
                Ok(Signature::Long(signature))
            }
            Self::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| CryptoError)?;
                Ok(Signature::new(signature.as_ref()))
            }
            Self::Ed(pair) => {
                let signature = pair.try_sign(message).map_err(|_| CryptoError)?;
                Ok(Signature::new(signature.as_ref()))
            }
            Self::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature).map_err(|_| CryptoError)?;
                Ok(Signature::Long(signature))
            }
        }
    }
}
