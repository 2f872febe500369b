use std::sync::Arc;

use super::jwk;
use super::verifying::VerifyingKey;
use crate::algorithm::Algorithm;
use crate::error::ConfigError;

/// A set of keys to verify with, identified by `kid` and algorithm.
///
/// Keys that a JWK set gives the same `kid` and algorithm are tried one after the other.
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
            if keys[..at].iter().any(|other| other.collides_with(key)) {
                return Err(ConfigError::DuplicateKeyId {
                    key_id: key.key_id().to_owned(),
                    algorithm: key.algorithm(),
                });
            }
        }
        Ok(Self { keys })
    }

    /// Parses the public keys of a JWK set. A key that is not for verification (`use`, `key_ops`), that is of an
    /// unsupported kind or algorithm, malformed or weak, is ignored (RFC 7517 §5) with a warning in the log, for the first 32 of a set. Secrets
    /// (`kty: oct`) are ignored, since a JWK set is public.
    ///
    /// An RSA key without `alg` is for all RSA algorithms, and an Ed25519 key without `alg` for EdDSA and Ed25519. Up to
    /// 4 different keys may have the same `kid` and algorithm: a token is valid if one of them has signed it.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Jwks`] if this is not a JWK set, [`ConfigError::NoKey`] if it is empty, and
    /// [`ConfigError::NoUsableKey`] with the reasons if all of its keys are ignored.
    pub fn from_jwks(json: &str) -> Result<Self, ConfigError> {
        let set = jwk::read(json)?;
        if set.keys.is_empty() {
            return Err(set.into_error());
        }
        Ok(Self { keys: set.keys.into() })
    }

    /// Returns the JWK set of the public keys as JSON (RFC 7517 §5). It contains no secrets.
    pub fn to_jwks(&self) -> String {
        jwk::write(self.keys.iter())
    }

    /// Returns the keys in the order in which they were given.
    pub fn keys(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter()
    }

    /// Returns whether this set has the same keys, in any order.
    #[cfg(feature = "jwks")]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.keys.len() == other.keys.len()
            && self.keys.iter().all(|one| other.keys.iter().any(|other| one.is_same(other)))
    }

    /// Returns the keys that may verify a token with this header, at most [`MAX_CANDIDATES`](super::jwk::MAX_CANDIDATES).
    /// Without `kid` exactly one key must be for the algorithm.
    pub(crate) fn candidates<'a>(
        &'a self,
        key_id: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a VerifyingKey> {
        // Constructors limit the number of keys with the same `kid`.
        let fits = move |key: &&VerifyingKey| {
            key.serves(algorithm) && key_id.is_none_or(|key_id| key.key_id() == key_id)
        };
        let is_clear = key_id.is_some() || self.keys.iter().filter(fits).nth(1).is_none();
        self.keys.iter().filter(move |key| is_clear && fits(key))
    }
}

impl From<VerifyingKey> for KeySet {
    fn from(key: VerifyingKey) -> Self {
        Self { keys: Arc::new([key]) }
    }
}

#[cfg(test)]
mod tests;
