use std::fmt;
use std::time::Duration;

use tower_jwt_auth_core::Timestamp;

use super::jwk;
use super::set::KeySet;
use super::signing::SigningKey;
use super::verifying::VerifyingKey;
use crate::error::ConfigError;

/// The keys of an issuer: one signs, and others are published and accepted.
///
/// To change the key, publish the next one everywhere before it signs, and accept the previous one until its tokens
/// have expired. The page [`key_rotation`](crate::guide::key_rotation) has the steps.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use tower_jwt_auth::keys::KeyRing;
/// use tower_jwt_auth::store::{Clock, SystemClock};
/// use tower_jwt_auth::{Issuer, SigningKey};
///
/// let (old, new) = (SigningKey::generate()?, SigningKey::generate()?);
/// let publish = KeyRing::new(old.clone()).with_next(new.verifying_key().clone())?;
/// // All nodes will have the new ring within a minute.
/// let retired_at = SystemClock::new().now() + Duration::from_secs(60);
/// let sign = KeyRing::new(new).with_previous(old.verifying_key().clone(), retired_at)?;
///
/// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", publish)?;
/// issuer.key_ring().replace(sign);
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct KeyRing {
    signing: SigningKey,
    /// All keys, the signing one first.
    keys: KeySet,
    retired: Vec<Retired>,
}

#[derive(Clone)]
struct Retired {
    key: VerifyingKey,
    at: Timestamp,
}

impl KeyRing {
    /// Creates a ring whose only key is this one, which signs.
    pub fn new(signing_key: SigningKey) -> Self {
        let keys = signing_key.verifying_key().clone().into();
        Self { signing: signing_key, keys, retired: Vec::new() }
    }

    /// Adds a key that does not sign yet. It is published, so that other services know it before it signs, and
    /// accepted, because other nodes may sign with it.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::DuplicateKeyId`] if a key of the ring has its `kid` and algorithm.
    pub fn with_next(self, key: VerifyingKey) -> Result<Self, ConfigError> {
        self.with_key(key)
    }

    /// Adds a key that signs until `retired_at` at the latest. It is published and accepted until the last token that it signed
    /// has expired: until `retired_at`, plus the issuer's lifetime of access tokens, plus twice its leeway, because the
    /// nodes change their keys by their own clocks. After that the ring ignores it.
    ///
    /// Give a time by which the last node will have stopped signing with it: a node whose ring is replaced first accepts
    /// the key for as long as the others sign with it. If the lifetime is shortened at the same time, add
    /// the difference.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::DuplicateKeyId`] if a key of the ring has its `kid` and algorithm.
    pub fn with_previous(
        self,
        key: VerifyingKey,
        retired_at: Timestamp,
    ) -> Result<Self, ConfigError> {
        let mut ring = self.with_key(key.clone())?;
        ring.retired.push(Retired { key, at: retired_at });
        Ok(ring)
    }

    fn with_key(mut self, key: VerifyingKey) -> Result<Self, ConfigError> {
        self.keys = KeySet::new(self.keys.keys().cloned().chain([key]))?;
        Ok(self)
    }

    /// Returns the key that signs.
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// Returns all keys of the ring, the signing one first, also those that are over by now.
    pub fn keys(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.keys()
    }

    /// Returns whether a key of the ring is accepted at this time, if tokens are accepted for `lifetime` after they are
    /// signed.
    pub(crate) fn accepts(&self, key: &VerifyingKey, lifetime: Duration, now: Timestamp) -> bool {
        now <= self.accepted_until(key, lifetime)
    }

    /// Returns the last time at which a key of the ring is accepted.
    pub(super) fn accepted_until(&self, key: &VerifyingKey, lifetime: Duration) -> Timestamp {
        // A ring has few retired keys.
        let retired = self.retired.iter().find(|retired| retired.key.is_same(key));
        retired.map_or(Timestamp::MAX, |retired| retired.at + lifetime)
    }

    /// Returns the keys that are accepted at this time.
    pub(crate) fn accepted(
        &self,
        lifetime: Duration,
        now: Timestamp,
    ) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.keys().filter(move |key| self.accepts(key, lifetime, now))
    }

    /// Returns the JWK set of the public keys that are accepted at this time.
    pub(crate) fn to_jwks(&self, lifetime: Duration, now: Timestamp) -> String {
        jwk::write(self.accepted(lifetime, now))
    }

    pub(crate) fn set(&self) -> &KeySet {
        &self.keys
    }
}

impl From<SigningKey> for KeyRing {
    fn from(key: SigningKey) -> Self {
        Self::new(key)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.keys.keys().map(VerifyingKey::key_id).collect();
        let retired: Vec<_> = self.retired.iter().map(|retired| retired.key.key_id()).collect();
        f.debug_struct("KeyRing")
            .field("signing", &self.signing.key_id())
            .field("keys", &ids)
            .field("retired", &retired)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETIRED_AT: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    #[test]
    fn a_previous_key_is_accepted_for_the_lifetime_of_its_tokens() {
        let (old, new, next) =
            (SigningKey::generate(), SigningKey::generate(), SigningKey::generate());
        let (old, new, next) = (old.unwrap(), new.unwrap(), next.unwrap());
        let ring = KeyRing::new(new)
            .with_next(next.verifying_key().clone())
            .and_then(|ring| ring.with_previous(old.verifying_key().clone(), RETIRED_AT))
            .unwrap();
        let lifetime = Duration::from_secs(305);
        let accepted = |millis| {
            let now = RETIRED_AT + Duration::from_millis(millis);
            ring.keys().map(|key| ring.accepts(key, lifetime, now)).collect::<Vec<_>>()
        };
        assert_eq!(accepted(305_000), [true, true, true]);
        assert_eq!(accepted(305_001), [true, true, false]);
    }

    #[test]
    fn a_key_is_in_the_ring_once() {
        let key = SigningKey::generate().unwrap();
        let ring = KeyRing::new(key.clone());
        for ring in [
            ring.clone().with_next(key.verifying_key().clone()),
            ring.with_previous(key.verifying_key().clone(), RETIRED_AT),
        ] {
            assert!(matches!(ring, Err(ConfigError::DuplicateKeyId { .. })));
        }
    }

    #[test]
    fn debug_shows_key_ids_alone() {
        let key = SigningKey::generate().unwrap().with_key_id("2026");
        let ring = KeyRing::new(key);
        assert_eq!(
            format!("{ring:?}"),
            r#"KeyRing { signing: "2026", keys: ["2026"], retired: [] }"#
        );
    }
}
