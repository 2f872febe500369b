//! Verification of access tokens.

mod trusted;

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use tower_jwt_auth_core::Timestamp;

pub use self::trusted::TrustedIssuer;
use crate::claims;
use crate::error::{ConfigError, TokenError};
use crate::identity::Identity;
use crate::jws::{self, DecodeBuffer, Header, MAX_TOKEN_LENGTH};
use crate::keys::VerifyError;

/// Verifies access tokens of one or several issuers.
///
/// The verifier is strict where the RFCs leave a choice: it requires canonical base64url, distinct member names, no
/// critical extensions, `typ: at+jwt` (RFC 9068 §2.1), the exact issuer and audience, and an explicit leeway. It checks
/// the signature last, since the other checks are cheaper. It does not check revocation: the layer does.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{Algorithm, KeySet, Timestamp, TrustedIssuer, Verifier, VerifyingKey};
///
/// let pem = b"-----BEGIN PUBLIC KEY-----
/// MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
/// -----END PUBLIC KEY-----";
/// let keys = KeySet::new([VerifyingKey::from_pem(Algorithm::EdDSA, pem)?.with_key_id("2026")])?;
/// let login = TrustedIssuer::new("https://login.example", "https://api.example", keys)?;
/// let verifier = Verifier::new(login);
/// let now = Timestamp::from_unix_seconds(1_700_000_000);
/// assert!(verifier.verify("not a token", now).is_err());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[must_use]
pub struct Verifier<C = ()> {
    trusted: Vec<TrustedIssuer>,
    claims: PhantomData<fn() -> C>,
}

impl Verifier {
    /// Creates a verifier that trusts this issuer and reads no claims of the application. It also takes a reference to
    /// an [`Issuer`](crate::Issuer).
    pub fn new(trusted: impl Into<TrustedIssuer>) -> Self {
        Self { trusted: vec![trusted.into()], claims: PhantomData }
    }
}

impl<C> Verifier<C> {
    /// Sets the type of the application's own claims. A token whose claims do not deserialize into it is rejected.
    pub fn with_claims<D>(self) -> Verifier<D> {
        Verifier { trusted: self.trusted, claims: PhantomData }
    }

    /// Trusts another issuer as well.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::DuplicateIssuer`] if an issuer of this name is already trusted.
    pub fn and_trust(mut self, trusted: impl Into<TrustedIssuer>) -> Result<Self, ConfigError> {
        let trusted = trusted.into();
        if self.trusted.iter().any(|other| other.name() == trusted.name()) {
            return Err(ConfigError::DuplicateIssuer { issuer: trusted.name().to_owned() });
        }
        self.trusted.push(trusted);
        Ok(self)
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Verifier<C> {
    /// Verifies a token at the time `now`, and returns the identity that it proves.
    ///
    /// # Errors
    ///
    /// Returns the [`TokenError`] of the first rule that the token breaks. Cheap rules are checked before the
    /// signature, so the error may be based on claims that the issuer has not signed.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        self.verify_with_present_keys(token, now).map_err(VerifyError::without_waiting)
    }

    /// Verifies a token at the time `now`. If the issuer's keys are remote and the token's key is not among them, waits
    /// until they are fetched once more, as [`RemoteKeySet`](crate::keys::RemoteKeySet) states, and verifies it with
    /// the new keys.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`verify`](Self::verify).
    pub async fn verify_with_newer_keys(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Identity, TokenError> {
        match self.verify_with_present_keys(token, now) {
            Ok(identity) => Ok(identity),
            Err(VerifyError::Rejected(error)) => Err(error),
            Err(VerifyError::NeedsKeys(newer)) => {
                newer.fetched().await;
                self.verify(token, now)
            }
        }
    }

    /// Verifies a token without waiting.
    pub(crate) fn verify_with_present_keys(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Identity, VerifyError> {
        thread_local! {
            static BUFFER: Cell<DecodeBuffer> = Cell::default();
        }
        // Taken while in use: deserializing `C` runs the application's code, which may call this function.
        let mut buffer = BUFFER.take();
        let identity = self.verify_with(token, now, &mut buffer);
        BUFFER.set(buffer);
        identity
    }

    fn verify_with(
        &self,
        token: &str,
        now: Timestamp,
        buffer: &mut DecodeBuffer,
    ) -> Result<Identity, VerifyError> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(TokenError::Encoding.into());
        }
        let segments = jws::split(token)?;
        let decoded = buffer.decode(segments)?;
        let header = Header::parse(decoded.header)?;
        let (registered, own) = claims::parse::<C>(decoded.claims)?;
        let issuer = registered.iss.as_deref().ok_or(TokenError::Missing("iss"))?;
        let trusted = self.trusted.iter().find(|trusted| trusted.name() == issuer);
        let trusted = trusted.ok_or(TokenError::Issuer)?;
        trusted.validate(&header, &registered, now)?;
        trusted.verify_signature(&header, segments.signing_input, decoded.signature)?;
        Ok(Identity::new(trusted.shared_name(), &registered, own, trusted.leeway(), now))
    }
}

impl<C> Clone for Verifier<C> {
    fn clone(&self) -> Self {
        Self { trusted: self.trusted.clone(), claims: PhantomData }
    }
}

impl<C> fmt::Debug for Verifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("trusted", &self.trusted).finish()
    }
}
