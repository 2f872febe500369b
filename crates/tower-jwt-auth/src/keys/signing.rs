use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::crypto::{self, CryptoError, Signature, Signer as LocalSigner};
use super::hygiene::check_secret;
use super::pem::PemBlock;
use super::signer::{SIGNER_TIMEOUT, Signer};
use super::verifying::VerifyingKey;
use crate::algorithm::{Algorithm, AlgorithmSet, Family};
use crate::base64url;
use crate::error::ConfigError;

/// A key to sign tokens with: a private key or a shared secret, for one algorithm (RFC 8725 §3.1).
///
/// Unless set, its key id is the thumbprint of the public key (RFC 7638), or a hash that does not reveal the shared
/// secret. The [module documentation](crate::keys) lists the copies of a key that are wiped.
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
    private: PrivateKey,
    verifying: VerifyingKey,
    header: Arc<OnceLock<Header>>,
}

/// The encoded header of tokens of one type. A key signs tokens of one type.
struct Header {
    typ: &'static str,
    encoded: String,
}

#[derive(Clone)]
enum PrivateKey {
    Local(Arc<LocalSigner>),
    External(Arc<dyn Signer>),
}

/// The reason why there is no signature.
#[derive(Debug)]
pub(crate) enum SignError {
    /// The external signer is unavailable.
    Unavailable(Box<dyn Error + Send + Sync>),
    /// The public key does not verify the signature of the external signer.
    Mismatch,
    /// The cryptographic library cannot sign with the key.
    Crypto,
}

impl SigningKey {
    /// Generates an Ed25519 key, which is lost when the process ends.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Entropy`] if the operating system returns no random bytes.
    pub fn generate() -> Result<Self, ConfigError> {
        Self::generate_for(Algorithm::EdDSA)
    }

    /// Generates a key for this algorithm: for RSA one of 2048 bits, for HMAC a secret as long as the hash.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Entropy`] if the operating system returns no random bytes.
    pub fn generate_for(algorithm: Algorithm) -> Result<Self, ConfigError> {
        let failed = |CryptoError| ConfigError::Entropy;
        match algorithm.hmac_length() {
            Some(length) => {
                let secret = crypto::random::<64>().map_err(failed)?;
                Self::from_secret(algorithm, &secret[..length])
            }
            None => Self::from_local(algorithm, LocalSigner::generate(algorithm).map_err(failed)?),
        }
    }

    /// Generates an Ed25519 private key as PKCS#8 in PEM (RFC 7468 §10, RFC 8410 §7), to be stored in a file.
    /// [`from_pem`](Self::from_pem) reads it.
    ///
    /// Anyone who can read that file can issue tokens: make it readable by the service alone. The text is wiped on
    /// drop.
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
    /// Returns [`ConfigError::Entropy`] if the operating system returns no random bytes.
    pub fn generate_pem() -> Result<Zeroizing<String>, ConfigError> {
        let der = LocalSigner::generate_pkcs8().map_err(|CryptoError| ConfigError::Entropy)?;
        // The capacity is that of the whole text: a string that grows leaves copies behind.
        let mut pem = Zeroizing::new(String::with_capacity(128));
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        // 48 bytes are 64 characters: one full line (RFC 7468 §2).
        base64_simd::STANDARD.encode_append(der, &mut *pem);
        pem.push_str("\n-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    /// Parses a private key in PEM (RFC 7468 §10): PKCS#8 (`PRIVATE KEY`), for RSA also PKCS#1 (`RSA PRIVATE KEY`).
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Key`] if this is not a private key for the algorithm, also for an RSA key outside of 2048
    /// to 8192 bits, and [`ConfigError::WeakKey`] for an RSA exponent above 64 bits.
    pub fn from_pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, ConfigError> {
        let block = PemBlock::parse(pem)
            .filter(|block| block.has_label("PRIVATE KEY", algorithm.family() == Family::Rsa));
        Self::from_der(algorithm, &block.ok_or_else(|| mismatch(algorithm))?.der)
    }

    /// Parses a private key in DER: PKCS#8 (RFC 5958), for RSA also PKCS#1.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`from_pem`](Self::from_pem).
    pub fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, ConfigError> {
        let signer =
            LocalSigner::from_der(algorithm, der).map_err(|CryptoError| mismatch(algorithm))?;
        Self::from_local(algorithm, signer)
    }

    /// Creates a key from a shared secret. Anyone who can verify with the secret can also sign with it, so only issuers
    /// should hold it.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Key`] if the algorithm is not HS256, HS384 or HS512, and [`ConfigError::SecretTooShort`]
    /// if the secret is shorter than its hash: 32 bytes for HS256, 48 for HS384, 64 for HS512 (RFC 7518 §3.2). Returns
    /// [`ConfigError::WeakKey`] if all bytes are the same, and for a PEM document.
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, ConfigError> {
        let verifying = VerifyingKey::from_secret(algorithm, secret)?;
        let signer = LocalSigner::from_secret(algorithm, secret)
            .map_err(|CryptoError| mismatch(algorithm))?;
        Ok(Self::new(PrivateKey::Local(Arc::new(signer)), verifying))
    }

    /// Creates a key whose private part is outside of the process. `public` has its algorithm and its
    /// `kid`.
    ///
    /// Whether the signer has the private key of `public` shows with the first signature: a token with a signature that
    /// `public` does not verify is not issued.
    pub fn from_signer(public: VerifyingKey, signer: impl Signer) -> Self {
        Self::new(PrivateKey::External(Arc::new(signer)), public)
    }

    fn new(private: PrivateKey, verifying: VerifyingKey) -> Self {
        Self { private, verifying, header: Arc::default() }
    }

    fn from_local(algorithm: Algorithm, signer: LocalSigner) -> Result<Self, ConfigError> {
        let components = signer.public_components().ok_or_else(|| mismatch(algorithm))?;
        let algorithms = AlgorithmSet::of(&[algorithm]);
        let verifying = VerifyingKey::from_public_components(algorithms, components)?;
        let key = Self::new(PrivateKey::Local(Arc::new(signer)), verifying);
        // Nobody could verify the signatures of a private key that is stored with the public key of another.
        let signature = key.sign(b"probe").map_err(|CryptoError| mismatch(algorithm))?;
        let verified = key.verifying.verify(algorithm, b"probe", &signature);
        verified.map_err(|_| mismatch(algorithm))?;
        Ok(key)
    }

    /// Sets the `kid` (RFC 7515 §4.1.4).
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.verifying = self.verifying.with_key_id(key_id);
        self.header = Arc::default();
        self
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// Returns the `kid`.
    pub fn key_id(&self) -> &str {
        self.verifying.key_id()
    }

    /// Returns the key that verifies its signatures.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    pub(crate) fn signature_length(&self) -> usize {
        self.verifying.signature_length()
    }

    /// Returns the header of a token of this type (RFC 7515 §4.1), encoded.
    pub(crate) fn header(&self, typ: &'static str) -> Cow<'_, str> {
        let header = self.header.get_or_init(|| Header { typ, encoded: self.encode_header(typ) });
        if header.typ == typ {
            Cow::Borrowed(&header.encoded)
        } else {
            Cow::Owned(self.encode_header(typ))
        }
    }

    fn encode_header(&self, typ: &str) -> String {
        let (alg, kid) = (self.algorithm().as_str(), Value::from(self.key_id()));
        base64url::encode(format!(r#"{{"typ":"{typ}","alg":"{alg}","kid":{kid}}}"#).as_bytes())
    }

    /// Signs with a key of this process.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
        match &self.private {
            PrivateKey::Local(signer) => signer.sign(message),
            PrivateKey::External(_) => Err(CryptoError),
        }
    }

    /// Signs with a key of this process at once, or waits for the external signer, [`SIGNER_TIMEOUT`] at most.
    pub(crate) async fn sign_or_wait(&self, message: &[u8]) -> Result<Signature, SignError> {
        let signer = match &self.private {
            PrivateKey::Local(signer) => {
                return signer.sign(message).map_err(|CryptoError| SignError::Crypto);
            }
            PrivateKey::External(signer) => signer,
        };
        let signature = match timeout(SIGNER_TIMEOUT, signer.sign(message)).await {
            Ok(result) => result.map_err(SignError::Unavailable)?,
            Err(elapsed) => return Err(SignError::Unavailable(elapsed.into())),
        };
        let verified = self.verifying.verify(self.algorithm(), message, &signature);
        verified.map(|()| signature.into()).map_err(|_| SignError::Mismatch)
    }
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
        | Algorithm::PS512 => "an RSA private key of 2048 to 8192 bits as PKCS#8 or PKCS#1",
        Algorithm::ES256 => {
            "a P-256 private key as PKCS#8 (openssl pkcs8 -topk8 -nocrypt converts one)"
        }
        Algorithm::ES384 => {
            "a P-384 private key as PKCS#8 (openssl pkcs8 -topk8 -nocrypt converts one)"
        }
        Algorithm::ES512 => {
            "a P-521 private key as PKCS#8 (openssl pkcs8 -topk8 -nocrypt converts one)"
        }
        Algorithm::EdDSA | Algorithm::Ed25519 => "an Ed25519 private key as PKCS#8",
        Algorithm::MlDsa44 => "an ML-DSA-44 private key as PKCS#8",
        Algorithm::MlDsa65 => "an ML-DSA-65 private key as PKCS#8",
        Algorithm::MlDsa87 => "an ML-DSA-87 private key as PKCS#8",
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

/// The secrets of refresh tokens, which only issuers hold: the current secret signs, and next and previous ones are
/// accepted.
///
/// The signing key is derived from the secret. A token that another component signs with the same secret is therefore
/// not accepted as a refresh token.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::RefreshSecrets;
///
/// // In production, 32 random bytes from a file or a secret store.
/// let (current, previous) = (b"fnYmDE0Zx1n2Vq5QeVjWJ8o0iY3kUuT4", b"0r7bK2mQv9sXc4LhT6yGpN1dWf8aEzJ5");
/// let secrets = RefreshSecrets::new(current)?.with_previous(previous)?;
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
    /// Generates a secret, which is lost when the process ends: no refresh token is accepted after a restart.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Entropy`] if the operating system returns no random bytes.
    pub fn generate() -> Result<Self, ConfigError> {
        let secret = crypto::random::<32>().map_err(|CryptoError| ConfigError::Entropy)?;
        Self::new(secret.as_slice())
    }

    /// Creates the secrets from the current one: at least 32 random bytes, the same on every node.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::SecretTooShort`] below 32 bytes, and [`ConfigError::WeakKey`] if all bytes are the same or
    /// the secret is a PEM document.
    pub fn new(current: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self { keys: vec![derive(current)?] })
    }

    /// Adds a secret that does not sign yet. Its tokens are accepted, because other nodes may sign with it.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`with_previous`](Self::with_previous).
    pub fn with_next(self, secret: &[u8]) -> Result<Self, ConfigError> {
        self.with_secret(secret)
    }

    /// Adds a previous secret, whose tokens are still accepted. A refresh replaces its token by one of the current
    /// secret: keep the previous one for the idle lifetime of a session.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`new`](Self::new), and [`ConfigError::DuplicateKeyId`] if the secret is already present.
    pub fn with_previous(self, secret: &[u8]) -> Result<Self, ConfigError> {
        self.with_secret(secret)
    }

    fn with_secret(mut self, secret: &[u8]) -> Result<Self, ConfigError> {
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
        // `new` adds one, and none is ever removed.
        &self.keys[0]
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.keys.iter()
    }

    pub(crate) fn find(&self, key_id: &str) -> Option<&SigningKey> {
        self.keys().find(|key| key.key_id() == key_id)
    }
}

/// Derives the signing key from a secret.
fn derive(secret: &[u8]) -> Result<SigningKey, ConfigError> {
    check_secret(Algorithm::HS256, secret)?;
    let key = crypto::hmac_sha256(secret, b"tower-jwt-auth refresh token v1")
        .map_err(|CryptoError| mismatch(Algorithm::HS256))?;
    SigningKey::from_secret(Algorithm::HS256, key.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_stored_in_pem_verifies_earlier_signatures() {
        let pem = SigningKey::generate_pem().unwrap();
        let before = SigningKey::from_pem(Algorithm::EdDSA, pem.as_bytes()).unwrap();
        let after = SigningKey::from_pem(Algorithm::EdDSA, pem.as_bytes()).unwrap();
        let signature = before.sign(b"message").unwrap();
        assert!(after.verifying_key().verify(Algorithm::EdDSA, b"message", &signature).is_ok());
    }

    #[test]
    fn a_generated_pem_has_the_form_that_every_library_reads() {
        let pem = SigningKey::generate_pem().unwrap();
        let lines: Vec<&str> = pem.split('\n').collect();
        let [first, text, last, ""] = lines[..] else { panic!("{} lines", lines.len()) };
        assert_eq!((first, last), ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"));
        let der = base64_simd::STANDARD.decode_to_vec(text).unwrap();
        // A version 1 document without the public key: some parsers accept no other (RFC 8410 §7).
        let head = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
        assert_eq!((der.len(), &der[..16]), (48, &head[..]));
    }

    #[test]
    fn a_header_has_the_type_and_the_present_key_id() {
        let key = SigningKey::generate().unwrap().with_key_id("one");
        let header = |key: &SigningKey, typ| -> Value {
            serde_json::from_slice(&base64url::decode(&key.header(typ)).unwrap()).unwrap()
        };
        let expected =
            |typ: &str, kid: &str| serde_json::json!({ "typ": typ, "alg": "EdDSA", "kid": kid });
        for typ in ["a", "a", "b", "a"] {
            assert_eq!(header(&key, typ), expected(typ, "one"));
        }
        let renamed = key.clone().with_key_id("\"two\" é");
        assert_eq!(header(&renamed, "a"), expected("a", "\"two\" é"));
        assert_eq!(header(&key, "a"), expected("a", "one"));
    }

    #[test]
    fn every_generated_pem_differs() {
        let (one, another) = (SigningKey::generate_pem(), SigningKey::generate_pem());
        assert_ne!(one.unwrap(), another.unwrap());
    }
}
