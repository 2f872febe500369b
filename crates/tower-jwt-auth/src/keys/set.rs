use std::sync::Arc;

use super::{Algorithm, VerifyingKey, jwk};
use crate::error::{ConfigError, TokenError};

/// Keys to verify with, told apart by `kid` and algorithm.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{KeySet, SigningKey};
///
/// let key = SigningKey::generate()?;
/// let set = KeySet::new([key.verifying_key().clone()])?;
/// let same = KeySet::from_jwks(&set.to_jwks())?;
/// assert_eq!(same.keys().next().map(|key| key.key_id()), Some(key.key_id()));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct KeySet {
    keys: Arc<[VerifyingKey]>,
}

impl KeySet {
    /// The set of these keys.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when there is none, or two have the same `kid` and algorithm.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, ConfigError> {
        let keys: Arc<[_]> = keys.into_iter().collect();
        if keys.is_empty() {
            return Err(ConfigError::NoKey);
        }
        for (at, key) in keys.iter().enumerate() {
            if find(&keys[..at], key.key_id(), key.algorithm()).is_some() {
                return Err(ConfigError::DuplicateKeyId {
                    key_id: key.key_id().to_owned(),
                    algorithm: key.algorithm(),
                });
            }
        }
        Ok(Self { keys })
    }

    /// The public keys of a JWK set. Keys of other uses, kinds and algorithms, and malformed ones, are passed
    /// over (RFC 7517 §5), the latter with a warning in the log; an RSA key without `alg` is taken to be for
    /// RS256.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is no JWK set, no key is left, or two different ones have the same `kid` and
    /// algorithm.
    pub fn from_jwks(json: &str) -> Result<Self, ConfigError> {
        Self::new(jwk::from_jwks(json)?)
    }

    /// The JWK set of the public keys. Secrets are not in it.
    pub fn to_jwks(&self) -> String {
        jwk::to_jwks(self.keys.iter())
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter()
    }

    /// The key for a token with this header. Without `kid` exactly one key must fit the algorithm.
    pub(crate) fn choose(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&VerifyingKey, TokenError> {
        let key = match key_id {
            Some(key_id) => find(&self.keys, key_id, algorithm),
            None => {
                let mut fitting = self.keys.iter().filter(|key| key.algorithm() == algorithm);
                fitting.next().filter(|_| fitting.next().is_none())
            }
        };
        key.ok_or(TokenError::UnknownKey)
    }
}

fn find<'a>(
    keys: &'a [VerifyingKey],
    key_id: &str,
    algorithm: Algorithm,
) -> Option<&'a VerifyingKey> {
    keys.iter().find(|key| key.algorithm() == algorithm && key.key_id() == key_id)
}

impl From<VerifyingKey> for KeySet {
    fn from(key: VerifyingKey) -> Self {
        Self { keys: Arc::new([key]) }
    }
}
