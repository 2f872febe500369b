use std::sync::Arc;

use super::{Algorithm, VerifyingKey, jwk};
use crate::error::{ConfigError, TokenError};

/// A set of keys to verify with, identified by `kid` and algorithm.
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
    /// Creates the set of these keys.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::NoKey`] for an empty set, and [`ConfigError::DuplicateKeyId`] if two keys have the same
    /// `kid` and algorithm.
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

    /// Parses the public keys of a JWK set. Keys of other uses, kinds and algorithms, and malformed ones, are ignored
    /// (RFC 7517 §5), the latter with a warning in the log. An RSA key without `alg` is used for RS256.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Jwks`] if this is not a JWK set, [`ConfigError::NoKey`] if it contains no usable key, and
    /// [`ConfigError::DuplicateKeyId`] if two different keys have the same `kid` and algorithm.
    pub fn from_jwks(json: &str) -> Result<Self, ConfigError> {
        Self::new(jwk::from_jwks(json)?)
    }

    /// Returns the JWK set of the public keys as JSON (RFC 7517 §5). It contains no secrets.
    pub fn to_jwks(&self) -> String {
        jwk::to_jwks(self.keys.iter())
    }

    /// Returns the keys in the order in which they were given.
    pub fn keys(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter()
    }

    /// Returns the key for a token with this header. Without `kid` exactly one key must fit the algorithm.
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
