use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;

/// The maximum time that a [`Signer`] may take for a signature. After it the signer counts as unavailable.
pub const SIGNER_TIMEOUT: Duration = Duration::from_secs(2);

/// A private key outside of the process, such as in a key management service or a hardware security module.
///
/// [`SigningKey::from_signer`](super::SigningKey::from_signer) makes a key of it. It is called for each sign-in and each
/// refresh, and never when a token is verified.
///
/// # Examples
///
/// ```
/// use std::error::Error;
///
/// use tower_jwt_auth::keys::Signer;
/// use tower_jwt_auth::{Algorithm, SigningKey, VerifyingKey, async_trait};
///
/// struct KeyService {
///     url: String,
/// }
///
/// #[async_trait]
/// impl Signer for KeyService {
///     async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
///         // Send the message to the service, and return its signature.
///         # let _ = message;
///         Err(format!("{} does not respond", self.url).into())
///     }
/// }
///
/// # let public_key = b"-----BEGIN PUBLIC KEY-----
/// # MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
/// # -----END PUBLIC KEY-----";
/// let public = VerifyingKey::from_pem(Algorithm::EdDSA, public_key)?.with_key_id("2026-11");
/// let key = SigningKey::from_signer(public, KeyService { url: "https://keys.example".into() });
/// assert_eq!(key.key_id(), "2026-11");
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[async_trait]
pub trait Signer: Send + Sync + 'static {
    /// Signs a message with the algorithm of the key. Returns the signature in the form of a JWS: for ECDSA the two
    /// numbers of fixed length one after the other (RFC 7518 §3.4), and not DER.
    ///
    /// The signature is verified before the token leaves the process.
    ///
    /// # Errors
    ///
    /// Returns an error if the key is unavailable. The sign-in or the refresh then fails with 503, and the client can
    /// retry.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
}
