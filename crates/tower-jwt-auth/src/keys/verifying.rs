use std::fmt;
use std::sync::Arc;

use jsonwebtoken::DecodingKey;

use super::crypto::{CryptoError, PublicComponents, VerifierKey};
use super::signing::secret_key_id;
use super::{Algorithm, check_secret_length, jwk};
use crate::algorithm::Family;
use crate::error::{ConfigError, TokenError};

/// A key to verify with: a public key or a shared secret, for one algorithm (RFC 8725 §3.1).
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
    checker: Arc<VerifierKey>,
    /// None for a secret.
    public: Option<Arc<PublicComponents>>,
    signature_length: usize,
}

impl VerifyingKey {
    /// A public key in PEM: `PUBLIC KEY` (SPKI), for RSA also PKCS#1 (`RSA PUBLIC KEY`).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is no public key for the algorithm, or an RSA key of less than 2048 bits.
    pub fn from_pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, ConfigError> {
        // The first block counts; certificates and private keys would be half understood.
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
        let part = match algorithm.family() {
            Family::Hmac => None,
            Family::Rsa => PublicComponents::from_rsa_der(bytes).ok(),
            Family::Ec => PublicComponents::from_point(bytes),
            Family::Ed => Some(PublicComponents::Ed { x: bytes.to_vec() }),
        };
        Self::from_public_part(algorithm, part.ok_or_else(|| mismatch(algorithm))?)
    }

    /// A public key in DER: SPKI, for RSA also PKCS#1.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem).
    pub fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, ConfigError> {
        if algorithm.family() == Family::Rsa {
            let part =
                PublicComponents::from_rsa_der(der).map_err(|CryptoError| mismatch(algorithm))?;
            return Self::from_public_part(algorithm, part);
        }
        // Nothing but an SPKI of the right kind; a certificate has one somewhere inside.
        VerifierKey::check_der(algorithm, der).map_err(|CryptoError| mismatch(algorithm))?;
        let text = base64_simd::STANDARD.encode_to_string(der);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
        Self::from_pem(algorithm, pem.as_bytes())
    }

    /// A shared secret. Whoever holds it can sign, too.
    ///
    /// # Errors
    ///
    /// As [`SigningKey::from_secret`](super::SigningKey::from_secret).
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, ConfigError> {
        let signature_length = check_secret_length(algorithm, secret)?;
        let checker = VerifierKey::from_secret(algorithm, secret)
            .map_err(|CryptoError| mismatch(algorithm))?;
        Ok(Self {
            algorithm,
            key_id: secret_key_id(secret).into(),
            checker: Arc::new(checker),
            public: None,
            signature_length,
        })
    }

    pub(crate) fn from_public_part(
        algorithm: Algorithm,
        part: PublicComponents,
    ) -> Result<Self, ConfigError> {
        let signature_length = match &part {
            PublicComponents::Rsa { n, .. } => check_rsa_size(n)?,
            PublicComponents::Ec { x, y } => x.len() + y.len(),
            PublicComponents::Ed { .. } => 64,
        };
        let checker = VerifierKey::from_public(algorithm, &part)
            .map_err(|CryptoError| mismatch(algorithm))?;
        Ok(Self {
            algorithm,
            key_id: jwk::thumbprint(algorithm, &part).into(),
            checker: Arc::new(checker),
            public: Some(Arc::new(part)),
            signature_length,
        })
    }

    /// The same key by another `kid`.
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = key_id.into().into();
        self
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid`.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whether this is the same public key by the same name.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.algorithm, &self.key_id, &self.public)
            == (other.algorithm, &other.key_id, &other.public)
    }

    pub(crate) fn public_part(&self) -> Option<&PublicComponents> {
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
        self.checker.verify(message, signature).map_err(|CryptoError| TokenError::Signature)
    }
}

/// The length of the key in bytes, which is that of its signatures.
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
