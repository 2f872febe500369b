use std::fmt;
use std::sync::Arc;

use jsonwebtoken::DecodingKey;

use super::crypto::{CryptoError, PublicComponents, VerifierKey, hmac_sha256};
use super::{Algorithm, check_secret_length, encode_base64url, jwk};
use crate::algorithm::Family;
use crate::error::{ConfigError, TokenError};

/// A key to verify tokens with: a public key or a shared secret, for one algorithm (RFC 8725 §3.1).
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{Algorithm, VerifyingKey};
///
/// let pem = b"-----BEGIN PUBLIC KEY-----
/// MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
/// -----END PUBLIC KEY-----";
/// let key = VerifyingKey::from_pem(Algorithm::EdDSA, pem)?;
/// assert_eq!(key.algorithm(), Algorithm::EdDSA);
/// assert!(VerifyingKey::from_pem(Algorithm::ES256, pem).is_err());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct VerifyingKey {
    algorithm: Algorithm,
    key_id: Arc<str>,
    verifier: Arc<VerifierKey>,
    /// `None` for a secret.
    public: Option<Arc<PublicComponents>>,
    signature_length: usize,
}

impl VerifyingKey {
    /// Parses a public key in PEM (RFC 7468 §13): `PUBLIC KEY` (SPKI), for RSA also PKCS#1 (`RSA PUBLIC KEY`).
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Key`] if this is not a public key for the algorithm, and [`ConfigError::RsaKeySize`] for
    /// an RSA key outside of 2048 to 8192 bits.
    pub fn from_pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, ConfigError> {
        // The first block counts. jsonwebtoken would accept certificates and private keys in part.
        let label =
            pem.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"-----BEGIN "));
        let is_public =
            label.is_some_and(|label| label.trim_ascii_end().ends_with(b"PUBLIC KEY-----"));
        if !is_public {
            return Err(mismatch(algorithm));
        }
        let key = match algorithm.family() {
            Family::Hmac => return Err(mismatch(algorithm)),
            Family::Rsa => DecodingKey::from_rsa_pem(pem),
            Family::Ec => DecodingKey::from_ec_pem(pem),
            Family::Ed => DecodingKey::from_ed_pem(pem),
        };
        let key = key.map_err(|_| mismatch(algorithm))?;
        let bytes = key.try_get_as_bytes().map_err(|_| mismatch(algorithm))?;
        let components = match algorithm.family() {
            Family::Hmac => None,
            Family::Rsa => PublicComponents::from_rsa_der(bytes).ok(),
            Family::Ec => PublicComponents::from_point(bytes),
            Family::Ed => Some(PublicComponents::Ed { x: bytes.to_vec() }),
        };
        Self::from_public_components(algorithm, components.ok_or_else(|| mismatch(algorithm))?)
    }

    /// Parses a public key in DER: SPKI, for RSA also PKCS#1.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`from_pem`](Self::from_pem).
    pub fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, ConfigError> {
        if algorithm.family() == Family::Rsa {
            let components =
                PublicComponents::from_rsa_der(der).map_err(|CryptoError| mismatch(algorithm))?;
            return Self::from_public_components(algorithm, components);
        }
        // Accepts an SPKI of the right kind alone. A certificate contains one, but is rejected.
        VerifierKey::check_der(algorithm, der).map_err(|CryptoError| mismatch(algorithm))?;
        let text = base64_simd::STANDARD.encode_to_string(der);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
        Self::from_pem(algorithm, pem.as_bytes())
    }

    /// Creates a key from a shared secret. Anyone who holds the secret can also sign.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`SigningKey::from_secret`](super::SigningKey::from_secret).
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, ConfigError> {
        let signature_length = check_secret_length(algorithm, secret)?;
        let verifier = VerifierKey::from_secret(algorithm, secret)
            .map_err(|CryptoError| mismatch(algorithm))?;
        let key_id = secret_key_id(secret).map_err(|CryptoError| mismatch(algorithm))?;
        Ok(Self {
            algorithm,
            key_id: key_id.into(),
            verifier: Arc::new(verifier),
            public: None,
            signature_length,
        })
    }

    pub(crate) fn from_public_components(
        algorithm: Algorithm,
        components: PublicComponents,
    ) -> Result<Self, ConfigError> {
        let signature_length = match &components {
            PublicComponents::Rsa { n, .. } => check_rsa_size(n)?,
            PublicComponents::Ec { x, y } => x.len() + y.len(),
            PublicComponents::Ed { .. } => 64,
        };
        let verifier = VerifierKey::from_public(algorithm, &components)
            .map_err(|CryptoError| mismatch(algorithm))?;
        Ok(Self {
            algorithm,
            key_id: jwk::thumbprint(algorithm, &components).into(),
            verifier: Arc::new(verifier),
            public: Some(Arc::new(components)),
            signature_length,
        })
    }

    /// Sets the `kid` (RFC 7517 §4.5); unless set, it is the thumbprint of the public key (RFC 7638).
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = key_id.into().into();
        self
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the `kid`.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Returns whether this is the same public key with the same `kid`.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.algorithm, &self.key_id, &self.public)
            == (other.algorithm, &other.key_id, &other.public)
    }

    pub(crate) fn public_components(&self) -> Option<&PublicComponents> {
        self.public.as_deref()
    }

    /// Returns the length of a signature in bytes.
    pub(super) fn signature_length(&self) -> usize {
        self.signature_length
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        if signature.len() != self.signature_length {
            return Err(TokenError::Signature);
        }
        self.verifier.verify(message, signature).map_err(|CryptoError| TokenError::Signature)
    }
}

/// Returns a key id for a secret, which does not reveal the secret.
fn secret_key_id(secret: &[u8]) -> Result<String, CryptoError> {
    let hash = hmac_sha256(secret, b"tower-jwt-auth key id v1")?;
    Ok(encode_base64url(&hash[..16]))
}

/// Returns the length of the key in bytes, which is that of its signatures.
fn check_rsa_size(modulus: &[u8]) -> Result<usize, ConfigError> {
    let leading = modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = &modulus[leading..];
    let bits =
        modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    if (2048..=8192).contains(&bits) {
        Ok(modulus.len())
    } else {
        Err(ConfigError::RsaKeySize { bits })
    }
}

fn mismatch(algorithm: Algorithm) -> ConfigError {
    let expected = match algorithm.family() {
        Family::Hmac => "a shared secret, through from_secret",
        Family::Rsa => "an RSA public key as SPKI or PKCS#1, not a certificate or private key",
        Family::Ec if algorithm == Algorithm::ES256 => {
            "a P-256 public key as SPKI, not a certificate or private key"
        }
        Family::Ec => "a P-384 public key as SPKI, not a certificate or private key",
        Family::Ed => "an Ed25519 public key as SPKI, not a certificate or private key",
    };
    ConfigError::Key { algorithm, expected }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
