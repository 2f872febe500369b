use std::fmt;
use std::sync::Arc;

use jsonwebtoken::EncodingKey;
use zeroize::Zeroizing;

use super::crypto::{self, CryptoError, Signer};
use super::{Algorithm, VerifyingKey, check_secret_length, encode_base64url};
use crate::algorithm::Family;
use crate::error::ConfigError;

/// A key to sign with: a private key or a shared secret, for one algorithm.
///
/// Its key id is the RFC 7638 thumbprint of the public key (of a secret: a one-way name derived from it),
/// unless another one is set.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate()?.with_key_id("2026-11");
/// assert_eq!(key.algorithm(), Algorithm::EdDSA);
/// assert!(SigningKey::from_secret(Algorithm::HS256, b"too short").is_err());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct SigningKey {
    signer: Arc<Signer>,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// A new Ed25519 key.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Entropy`] when the operating system gives no random numbers.
    pub fn generate() -> Result<Self, ConfigError> {
        Self::generate_for(Algorithm::EdDSA)
    }

    /// A new key for this algorithm: 2048 bits for RSA, a secret as long as the hash for HMAC.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Entropy`] when the operating system gives no random numbers.
    pub fn generate_for(algorithm: Algorithm) -> Result<Self, ConfigError> {
        let failed = |CryptoError| ConfigError::Entropy;
        match algorithm.hmac_length() {
            Some(length) => {
                let secret = crypto::random::<64>().map_err(failed)?;
                Self::from_secret(algorithm, &secret[..length])
            }
            None => Self::of_private_key(algorithm, Signer::generate(algorithm).map_err(failed)?),
        }
    }

    /// Generates an Ed25519 private key as PKCS#8 in PEM (RFC 7468 §10, RFC 8410 §7), to be stored in a file.
    /// [`from_pem`](Self::from_pem) reads it.
    ///
    /// Anyone who can read that file can issue tokens: make it readable by the service alone. The text is wiped on drop.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, SigningKey};
    ///
    /// let pem = SigningKey::generate_pem()?;
    /// let before = SigningKey::from_pem(Algorithm::EdDSA, pem.as_bytes())?;
    /// let after_a_restart = SigningKey::from_pem(Algorithm::EdDSA, pem.as_bytes())?;
    /// assert_eq!(before.key_id(), after_a_restart.key_id());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError::Entropy`] when the operating system gives no random numbers.
    pub fn generate_pem() -> Result<Zeroizing<String>, ConfigError> {
        let der = Signer::generate_pkcs8().map_err(|CryptoError| ConfigError::Entropy)?;
        // The capacity is that of the whole text: a string that grows leaves copies behind.
        let mut pem = Zeroizing::new(String::with_capacity(128));
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        // 48 bytes are 64 characters: one full line (RFC 7468 §2).
        base64_simd::STANDARD.encode_append(der, &mut *pem);
        pem.push_str("\n-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    /// A private key in PEM: PKCS#8 (`PRIVATE KEY`), for RSA also PKCS#1 (`RSA PRIVATE KEY`).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is no private key for the algorithm, or an RSA key of less than 2048 bits.
    pub fn from_pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, ConfigError> {
        let key = match algorithm.family() {
            Family::Hmac => return Err(mismatch(algorithm)),
            Family::Rsa => EncodingKey::from_rsa_pem(pem),
            Family::Ec => EncodingKey::from_ec_pem(pem),
            Family::Ed => EncodingKey::from_ed_pem(pem),
        };
        Self::from_der(algorithm, key.map_err(|_| mismatch(algorithm))?.as_bytes())
    }

    /// A private key in DER: PKCS#8, for RSA also PKCS#1.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem).
    pub fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, ConfigError> {
        let signer = Signer::from_der(algorithm, der).map_err(|CryptoError| mismatch(algorithm))?;
        Self::of_private_key(algorithm, signer)
    }

    /// A shared secret. Whoever can verify with it can sign with it: only issuers should hold it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the algorithm is no HMAC, or the secret is shorter than its hash: 32 bytes for
    /// HS256, 48 for HS384, 64 for HS512 (RFC 7518 §3.2).
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, ConfigError> {
        let verifying = VerifyingKey::from_secret(algorithm, secret)?;
        let signer =
            Signer::from_secret(algorithm, secret).map_err(|CryptoError| mismatch(algorithm))?;
        Ok(Self { signer: Arc::new(signer), verifying })
    }

    fn of_private_key(algorithm: Algorithm, signer: Signer) -> Result<Self, ConfigError> {
        let part = signer.public_part().ok_or_else(|| mismatch(algorithm))?;
        let key = Self {
            signer: Arc::new(signer),
            verifying: VerifyingKey::from_public_part(algorithm, part)?,
        };
        // A private key whose public half is another one's would sign what nobody can verify.
        let signature = key.sign(b"probe").map_err(|CryptoError| mismatch(algorithm))?;
        key.verifying.verify(b"probe", &signature).map_err(|_| mismatch(algorithm))?;
        Ok(key)
    }

    /// The same key by another `kid`.
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.verifying = self.verifying.with_key_id(key_id);
        self
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// The `kid`.
    pub fn key_id(&self) -> &str {
        self.verifying.key_id()
    }

    /// The key to verify with.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    pub(crate) fn signature_length(&self) -> usize {
        self.verifying.signature_length()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.signer.sign(message)
    }
}

fn mismatch(algorithm: Algorithm) -> ConfigError {
    let expected = match algorithm.family() {
        Family::Hmac => "a shared secret, through from_secret",
        Family::Rsa => "an RSA private key of 2048 to 8192 bits as PKCS#8 or PKCS#1",
        Family::Ec if algorithm == Algorithm::ES256 => {
            "a P-256 private key as PKCS#8 (openssl pkcs8 -topk8 -nocrypt makes one)"
        }
        Family::Ec => "a P-384 private key as PKCS#8 (openssl pkcs8 -topk8 -nocrypt makes one)",
        Family::Ed => "an Ed25519 private key as PKCS#8",
    };
    ConfigError::Key { algorithm, expected }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .field("key_id", &self.key_id())
            .finish_non_exhaustive()
    }
}

/// The secrets of refresh tokens, which only issuers hold: the one to sign with, and older ones that are
/// still accepted.
///
/// The key that signs is derived from the secret, so that a secret shared with something else signs nothing
/// that this accepts.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::RefreshSecrets;
///
/// let secrets = RefreshSecrets::new(&[7; 32])?.with_previous(&[6; 32])?;
/// assert!(RefreshSecrets::new(b"short").is_err());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RefreshSecrets {
    /// The first one signs.
    keys: Vec<SigningKey>,
}

impl RefreshSecrets {
    /// A new secret, which is gone with the process.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Entropy`] when the operating system gives no random numbers.
    pub fn generate() -> Result<Self, ConfigError> {
        let secret = crypto::random::<32>().map_err(|CryptoError| ConfigError::Entropy)?;
        Self::new(secret.as_slice())
    }

    /// The secret to sign with: at least 32 random bytes, the same on every node.
    ///
    /// # Errors
    ///
    /// [`ConfigError::SecretTooShort`] below 32 bytes.
    pub fn new(current: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self { keys: vec![derive(current)?] })
    }

    /// A secret that is still accepted, until the longest session that was started under it is over.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] below 32 bytes, or when the secret is there already.
    pub fn with_previous(mut self, secret: &[u8]) -> Result<Self, ConfigError> {
        let key = derive(secret)?;
        if self.find(key.key_id()).is_some() {
            return Err(ConfigError::DuplicateKeyId {
                key_id: key.key_id().to_owned(),
                algorithm: key.algorithm(),
            });
        }
        self.keys.push(key);
        Ok(self)
    }

    pub(crate) fn current(&self) -> &SigningKey {
        // `new` puts one in and nothing takes it out.
        &self.keys[0]
    }

    pub(crate) fn find(&self, key_id: &str) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.key_id() == key_id)
    }
}

fn derive(secret: &[u8]) -> Result<SigningKey, ConfigError> {
    check_secret_length(Algorithm::HS256, secret)?;
    let key = crypto::hmac_sha256(secret, b"tower-jwt-auth refresh token v1");
    SigningKey::from_secret(Algorithm::HS256, key.as_slice())
}

/// A name for a secret that tells nothing of it.
pub(super) fn secret_key_id(secret: &[u8]) -> String {
    encode_base64url(&crypto::hmac_sha256(secret, b"tower-jwt-auth key id v1")[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_kept_in_pem_verifies_what_it_signed_before() {
        let pem = SigningKey::generate_pem().unwrap();
        let before = SigningKey::from_pem(Algorithm::EdDSA, pem.as_bytes()).unwrap();
        let after = SigningKey::from_pem(Algorithm::EdDSA, pem.as_bytes()).unwrap();
        let signature = before.sign(b"message").unwrap();
        assert!(after.verifying_key().verify(b"message", &signature).is_ok());
    }

    #[test]
    fn a_new_key_in_pem_is_in_the_form_that_every_library_reads() {
        let pem = SigningKey::generate_pem().unwrap();
        let lines: Vec<&str> = pem.split('\n').collect();
        let [first, text, last, ""] = lines[..] else { panic!("{} lines", lines.len()) };
        assert_eq!((first, last), ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"));
        let der = base64_simd::STANDARD.decode_to_vec(text).unwrap();
        // A version 1 document without the public key: some parsers take no other (RFC 8410 §7).
        let head = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
        assert_eq!((der.len(), &der[..16]), (48, &head[..]));
    }

    #[test]
    fn every_key_in_pem_is_another_one() {
        let (one, another) = (SigningKey::generate_pem(), SigningKey::generate_pem());
        assert_ne!(one.unwrap(), another.unwrap());
    }
}
