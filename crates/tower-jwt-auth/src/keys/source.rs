#[cfg(feature = "jwks")]
use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth_core::Timestamp;

use super::handle::KeyHandle;
#[cfg(feature = "jwks")]
use super::remote::{RemoteKeySet, Snapshot};
use super::ring::KeyRing;
use super::set::KeySet;
use super::stamp::KeyStamp;
use super::verifying::VerifyingKey;
use crate::algorithm::Algorithm;
use crate::error::TokenError;

/// The source of an issuer's keys: a fixed set, the ring of an [`Issuer`](crate::Issuer) of this process, or with the
/// feature `jwks` the keys that the issuer publishes.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::keys::{KeySource, SigningKey};
///
/// let key = SigningKey::generate()?;
/// let source = KeySource::from(key.verifying_key().clone());
/// # let _ = source;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct KeySource {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Fixed(KeySet),
    /// The ring, and how long tokens are accepted after they are signed.
    Ring(KeyHandle<KeyRing>, Duration),
    #[cfg(feature = "jwks")]
    Remote(RemoteKeySet),
}

impl From<KeySet> for KeySource {
    fn from(keys: KeySet) -> Self {
        Self { kind: Kind::Fixed(keys) }
    }
}

impl From<VerifyingKey> for KeySource {
    fn from(key: VerifyingKey) -> Self {
        KeySet::from(key).into()
    }
}

impl KeySource {
    /// Creates the source of an issuer's own ring. A retired key is accepted for `lifetime`.
    pub(crate) fn ring(ring: KeyHandle<KeyRing>, lifetime: Duration) -> Self {
        Self { kind: Kind::Ring(ring, lifetime) }
    }
}

#[cfg(feature = "jwks")]
impl From<RemoteKeySet> for KeySource {
    fn from(keys: RemoteKeySet) -> Self {
        Self { kind: Kind::Remote(keys) }
    }
}

/// The members of a signed message that verification needs.
#[derive(Clone, Copy)]
pub(crate) struct SignedMessage<'m> {
    pub(crate) key_id: Option<&'m str>,
    pub(crate) algorithm: Algorithm,
    pub(crate) input: &'m [u8],
    pub(crate) signature: &'m [u8],
}

impl KeySource {
    /// Verifies a message with the keys that are present and accepted at the time `now`, without waiting. The stamp
    /// holds as long as the same keys would verify it. `admission` is called once, before the first signature is verified.
    pub(crate) fn verify(
        &self,
        message: SignedMessage<'_>,
        admission: impl Admission,
        now: Timestamp,
    ) -> Result<KeyStamp, VerifyError> {
        match &self.kind {
            Kind::Fixed(keys) => {
                verify_with(candidates(keys, message), message, admission)?;
                Ok(KeyStamp::FIXED)
            }
            Kind::Ring(handle, lifetime) => {
                let revision = handle.revision().current();
                let ring = handle.peek();
                let candidates = candidates(ring.set(), message);
                let accepted = candidates.filter(|key| ring.accepts(key, *lifetime, now));
                let key = verify_with(accepted, message, admission)?;
                let valid_until = ring.accepted_until(key, *lifetime);
                Ok(KeyStamp::new(handle.revision(), revision, valid_until))
            }
            #[cfg(feature = "jwks")]
            Kind::Remote(keys) => {
                let snapshot = keys.snapshot();
                verify_with_remote(keys, &snapshot, message, admission)?;
                Ok(snapshot.stamp(Arc::clone(keys.clock())))
            }
        }
    }
}

fn candidates<'k>(
    keys: &'k KeySet,
    message: SignedMessage<'k>,
) -> impl Iterator<Item = &'k VerifyingKey> {
    keys.candidates(message.key_id, message.algorithm)
}

/// Returns the key that has signed the message.
fn verify_with<'k>(
    candidates: impl Iterator<Item = &'k VerifyingKey>,
    message: SignedMessage<'_>,
    admission: impl Admission,
) -> Result<&'k VerifyingKey, VerifyError> {
    let mut admission = Some(admission);
    let mut permit = None;
    let mut result = Err(TokenError::UnknownKey);
    for key in candidates {
        // A signature of another length is rejected without a permit.
        if key.has_length_of(message.signature)
            && let Some(admission) = admission.take()
        {
            permit = Some(admission.admit(message.algorithm).ok_or(VerifyError::AtLimit)?);
        }
        result = key.verify(message.algorithm, message.input, message.signature).map(|()| key);
        if result.is_ok() {
            break;
        }
    }
    drop(permit);
    Ok(result?)
}

/// Admits the verification of signatures, which takes most of the time of a check.
pub(crate) trait Admission {
    /// Held while signatures of one token are verified.
    type Permit;

    /// Returns a permit, or `None` if as many signatures as may be are verified.
    fn admit(self, algorithm: Algorithm) -> Option<Self::Permit>;
}

/// Admits every verification.
pub(crate) struct Unlimited;

impl Admission for Unlimited {
    type Permit = ();

    fn admit(self, _: Algorithm) -> Option<()> {
        Some(())
    }
}

#[cfg(feature = "jwks")]
fn verify_with_remote(
    keys: &RemoteKeySet,
    snapshot: &Snapshot,
    message: SignedMessage<'_>,
    admission: impl Admission,
) -> Result<(), VerifyError> {
    let error = match snapshot.keys() {
        Ok(present) => match verify_with(candidates(present, message), message, admission) {
            Err(VerifyError::Rejected(error @ TokenError::UnknownKey)) => error,
            result => return result.map(|_| ()),
        },
        Err(unavailable) => TokenError::KeysUnavailable { retry_after: unavailable.retry_after },
    };
    let newer =
        NewerKeys { keys: keys.clone(), seen_fetch: snapshot.fetch_number(), otherwise: error };
    Err(VerifyError::NeedsKeys(newer))
}

/// The reason why a message is not verified.
#[derive(Debug)]
pub(crate) enum VerifyError {
    /// The keys reject it.
    Rejected(TokenError),
    /// The [`Admission`] did not admit the verification of the signature.
    AtLimit,
    /// The present keys do not decide. Newer ones may.
    #[cfg_attr(not(feature = "jwks"), expect(dead_code, reason = "no source brings newer keys"))]
    NeedsKeys(NewerKeys),
}

impl VerifyError {
    /// Returns the error for a caller that does not wait for newer keys.
    pub(crate) fn without_waiting(self) -> TokenError {
        match self {
            Self::Rejected(error) => error,
            Self::NeedsKeys(newer) => newer.otherwise(),
            // Not reached: a caller with a limit waits for a permit.
            Self::AtLimit => TokenError::KeysUnavailable { retry_after: Duration::from_secs(1) },
        }
    }
}

impl From<TokenError> for VerifyError {
    fn from(error: TokenError) -> Self {
        Self::Rejected(error)
    }
}

/// Keys that a fetch may bring.
#[cfg(feature = "jwks")]
#[derive(Debug)]
pub(crate) struct NewerKeys {
    keys: RemoteKeySet,
    /// The number of the fetch that brought the present keys.
    seen_fetch: u64,
    /// The error if no newer keys come.
    otherwise: TokenError,
}

#[cfg(feature = "jwks")]
impl NewerKeys {
    /// Waits until the keys have been fetched once more. The wait is bounded, and ends at once if no fetch is due.
    pub(crate) async fn fetched(self) {
        drop(self.keys.refresh_for_unknown_key(self.seen_fetch).await);
    }

    fn otherwise(self) -> TokenError {
        self.otherwise
    }
}

/// Without the feature `jwks` no source brings newer keys.
#[cfg(not(feature = "jwks"))]
#[derive(Debug)]
pub(crate) enum NewerKeys {}

#[cfg(not(feature = "jwks"))]
impl NewerKeys {
    pub(crate) async fn fetched(self) {
        match self {}
    }

    fn otherwise(self) -> TokenError {
        match self {}
    }
}
