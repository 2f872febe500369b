use std::fmt;
use std::sync::Arc;

use super::crypto::{CryptoError, PublicComponents, VerifierKey, hmac_sha256};
use super::hygiene::{check_public, check_secret};
use super::pem::PemBlock;
use super::spki;
use super::thumbprint::thumbprint;
use crate::algorithm::{Algorithm, AlgorithmSet, Family};
use crate::base64url;
use crate::error::{ConfigError, TokenError};

/// A key to verify tokens with: a public key or a shared secret, for one algorithm (RFC 8725 §3.1).
///
/// An RSA or Ed25519 key of a JWK set without `alg` is for all algorithms of its kind ([`algorithms`](Self::algorithms)).
/// An issuer that publishes such a key uses one of them, and does not say which.
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
    /// Not empty.
    algorithms: AlgorithmSet,
    /// The first one.
    algorithm: Algorithm,
    key_id: Arc<str>,
    verifier: Arc<VerifierKey>,
    /// `None` for a secret.
    public: Option<Arc<PublicComponents>>,
    signature_length: usize,
}

impl VerifyingKey {
    /// Parses a public key in PEM (RFC 7468 §13): `PUBLIC KEY` (SPKI), for RSA also PKCS#1 (`RSA PUBLIC KEY`). The first
    /// block of the text counts.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Key`] if this is not a public key for the algorithm, [`ConfigError::RsaKeySize`] for an RSA
    /// key outside of 2048 to 8192 bits, and [`ConfigError::WeakKey`] for a key with which anyone could sign, such as an
    /// Ed25519 point of small order or an RSA key with an even modulus or exponent.
    pub fn from_pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, ConfigError> {
        let block = PemBlock::parse(pem)
            .filter(|block| block.has_label("PUBLIC KEY", algorithm.family() == Family::Rsa));
        Self::from_der(algorithm, &block.ok_or_else(|| mismatch(algorithm))?.der)
    }

    /// Parses a public key in DER: SPKI, for RSA also PKCS#1.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`from_pem`](Self::from_pem).
    pub fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, ConfigError> {
        let components = spki::parse(algorithm, der).ok_or_else(|| mismatch(algorithm))?;
        Self::from_public_components(AlgorithmSet::of(&[algorithm]), components)
    }

    /// Creates a key from a shared secret. Anyone who holds the secret can also sign.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`SigningKey::from_secret`](super::SigningKey::from_secret).
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, ConfigError> {
        let signature_length = check_secret(algorithm, secret)?;
        let verifier = VerifierKey::from_secret(algorithm, secret)
            .map_err(|CryptoError| mismatch(algorithm))?;
        let key_id = secret_key_id(secret).map_err(|CryptoError| mismatch(algorithm))?;
        Ok(Self {
            algorithms: AlgorithmSet::of(&[algorithm]),
            algorithm,
            key_id: key_id.into(),
            verifier: Arc::new(verifier),
            public: None,
            signature_length,
        })
    }

    /// Creates a key that is for each of these algorithms, which take the same keys.
    pub(super) fn from_public_components(
        algorithms: AlgorithmSet,
        components: PublicComponents,
    ) -> Result<Self, ConfigError> {
        let algorithm = algorithms.iter().next().ok_or(ConfigError::NoKey)?;
        check_public(algorithm, &components)?;
        let verifier = VerifierKey::from_public(algorithms, &components)
            .map_err(|CryptoError| mismatch(algorithm))?;
        Ok(Self {
            algorithms,
            algorithm,
            key_id: thumbprint(algorithm, &components).into(),
            verifier: Arc::new(verifier),
            signature_length: components.signature_length(),
            public: Some(Arc::new(components)),
        })
    }

    /// Sets the `kid` (RFC 7517 §4.5); unless set, it is the thumbprint of the public key (RFC 7638).
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = key_id.into().into();
        self
    }

    /// Returns the algorithm, or the first one of several.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns all algorithms: one, unless the key comes from a JWK without `alg`. An RSA key is then for RS256, RS384,
    /// RS512, PS256, PS384 and PS512, and an Ed25519 key for EdDSA and Ed25519.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, KeySet};
    ///
    /// let keys = KeySet::from_jwks(
    ///     r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    /// )?;
    /// let key = keys.keys().next().expect("the set has a key");
    /// assert!(key.algorithms().eq([Algorithm::EdDSA, Algorithm::Ed25519]));
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> + use<> {
        self.algorithms.iter()
    }

    /// Returns the `kid`.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Returns whether this is the same public key with the same `kid`.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.algorithms, &self.key_id, &self.public)
            == (other.algorithms, &other.key_id, &other.public)
    }

    /// Returns whether both keys may verify a token with the same `kid` and algorithm.
    pub(super) fn collides_with(&self, other: &Self) -> bool {
        self.key_id == other.key_id && !self.algorithms.intersection(other.algorithms).is_empty()
    }

    /// Returns whether the key may verify tokens of this algorithm.
    pub(super) fn serves(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(algorithm)
    }

    pub(super) fn has_one_algorithm(&self) -> bool {
        self.algorithms.len() == 1
    }

    pub(crate) fn public_components(&self) -> Option<&PublicComponents> {
        self.public.as_deref()
    }

    /// Returns the length of a signature in bytes.
    pub(super) fn signature_length(&self) -> usize {
        self.signature_length
    }

    /// Returns whether a signature has the length of this key's.
    pub(super) fn has_length_of(&self, signature: &[u8]) -> bool {
        signature.len() == self.signature_length
    }

    /// Verifies a signature with the algorithm that the token names. One that the key is not for verifies nothing.
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        input: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        if !self.has_length_of(signature) {
            return Err(TokenError::Signature);
        }
        self.verifier
            .verify(algorithm, input, signature)
            .map_err(|CryptoError| TokenError::Signature)
    }
}

/// Returns a key id for a secret, which does not reveal the secret.
fn secret_key_id(secret: &[u8]) -> Result<String, CryptoError> {
    let hash = hmac_sha256(secret, b"tower-jwt-auth key id v1")?;
    Ok(base64url::encode(&hash[..16]))
}

fn mismatch(algorithm: Algorithm) -> ConfigError {
    let expected = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
            "a shared secret, through from_secret"
        }
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => {
            "an RSA public key as SPKI or PKCS#1, not a certificate or private key"
        }
        Algorithm::ES256 => "a P-256 public key as SPKI, not a certificate or private key",
        Algorithm::ES384 => "a P-384 public key as SPKI, not a certificate or private key",
        Algorithm::ES512 => "a P-521 public key as SPKI, not a certificate or private key",
        Algorithm::EdDSA | Algorithm::Ed25519 => {
            "an Ed25519 public key as SPKI, not a certificate or private key"
        }
        Algorithm::MlDsa44 => "an ML-DSA-44 public key as SPKI, not a certificate or private key",
        Algorithm::MlDsa65 => "an ML-DSA-65 public key as SPKI, not a certificate or private key",
        Algorithm::MlDsa87 => "an ML-DSA-87 public key as SPKI, not a certificate or private key",
    };
    ConfigError::Key { algorithm, expected }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("algorithms", &self.algorithms)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
