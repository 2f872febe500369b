//! Verification of access tokens.

mod issuers;
mod profiles;
mod resolved;
mod settings;
mod stamp;
mod trusted;

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use tower_jwt_auth_core::Timestamp;

pub use self::issuers::TrustedIssuers;
pub(crate) use self::stamp::{Stamp, VerifiedToken};
pub use self::trusted::TrustedIssuer;
use crate::claims;
use crate::error::{ConfigError, TokenError};
use crate::identity::Identity;
use crate::jws::{self, DecodeBuffer, Header, MAX_TOKEN_LENGTH, RecentHeaders};
use crate::keys::{Admission, Unlimited, VerifyError};

/// Verifies access tokens of one or several issuers.
///
/// The verifier is strict where the RFCs leave a choice: it requires canonical base64url, distinct member names, no
/// critical extensions, `typ: at+jwt` (RFC 9068 §2.1), the exact issuer and audience, and an explicit leeway. The
/// settings of a [`TrustedIssuer`] relax some of these. It checks the signature after the other rules, which are cheaper,
/// and then reads the application's claims. It does not check revocation, and verifies each token that it is
/// given. The layer checks revocation, and keeps accepted tokens.
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
    issuers: TrustedIssuers,
    max_token_length: usize,
    claims: PhantomData<fn() -> C>,
}

/// The memory that verifications on a thread share.
#[derive(Default)]
struct Scratch {
    buffer: DecodeBuffer,
    headers: RecentHeaders,
}

/// The bounds of the maximum length of a token, in bytes.
const TOKEN_LENGTHS: RangeInclusive<usize> = 1024..=64 * 1024;

impl Verifier {
    /// Creates a verifier that trusts this issuer and reads no claims of the application. It also takes a reference to
    /// an [`Issuer`](crate::Issuer). The issuer grants every scope of its tokens, unless
    /// [`TrustedIssuer::with_scopes`] lists some.
    pub fn new(trusted: impl Into<TrustedIssuer>) -> Self {
        let issuers = TrustedIssuers::new(trusted.into());
        Self { issuers, max_token_length: MAX_TOKEN_LENGTH, claims: PhantomData }
    }
}

impl<C> Verifier<C> {
    /// Sets the type of the application's claims. It is read from the whole claims set, once the signature has been
    /// verified, so that it may name registered claims such as `sub` or `exp`.
    ///
    /// A token whose claims do not deserialize into it is rejected with [`TokenError::Claims`], and the layer logs a
    /// warning.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth::{Issuer, SigningKey, Verifier};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct User { sub: String, exp: u64, name: Option<String> }
    ///
    /// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// let verifier = Verifier::new(&issuer).with_claims::<User>();
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_claims<D>(self) -> Verifier<D> {
        let max_token_length = self.max_token_length;
        Verifier { issuers: self.issuers, max_token_length, claims: PhantomData }
    }

    /// Sets the maximum length of a token in bytes; 8 KiB, unless set. Longer ones are rejected unread with
    /// [`TokenError::TooLong`], by the layer with 400.
    ///
    /// HTTP servers limit the headers as well.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Number`] below 1 KiB and above 64 KiB.
    pub fn with_max_token_length(mut self, bytes: usize) -> Result<Self, ConfigError> {
        if !TOKEN_LENGTHS.contains(&bytes) {
            let hint = "give 1024 to 65536 bytes";
            let what = "maximum length of tokens";
            return Err(ConfigError::Number { what, given: bytes, hint });
        }
        self.max_token_length = bytes;
        Ok(self)
    }

    pub(crate) fn max_token_length(&self) -> usize {
        self.max_token_length
    }

    /// Trusts another issuer as well. It grants only the scopes that [`TrustedIssuer::with_scopes`] lists. Clones that
    /// were made before are not affected.
    ///
    /// Its subjects are not those of the first issuer, whatever their names: read both
    /// [`Identity::issuer`](crate::Identity::issuer) and [`Identity::subject`](crate::Identity::subject), and act on
    /// sessions with the identity, as in [`Sessions::list_for`](crate::Sessions::list_for).
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::DuplicateIssuer`] if an issuer of this name is already trusted.
    pub fn and_trust(self, trusted: impl Into<TrustedIssuer>) -> Result<Self, ConfigError> {
        let issuers = self.issuers.detached();
        issuers.insert(trusted)?;
        Ok(Self { issuers, ..self })
    }

    /// Trusts the issuers for which `resolve` returns settings as well, as for the tenants of a provider. They grant only
    /// the scopes that [`TrustedIssuer::with_scopes`] lists. Clones that were made before are not affected.
    ///
    /// `resolve` is called with the `iss` of each token whose issuer is not trusted yet. **This name is not verified**:
    /// anyone can send any. `resolve` decides by the name alone, without blocking, and returns an issuer of exactly this
    /// name; it may build a [`RemoteKeySet`](crate::keys::RemoteKeySet), which begins to fetch. Compare the name with a
    /// list of tenants: a pattern accepts names that anyone can make up, and a URL built from such a name is fetched
    /// whatever its host resolves to (RFC 8725 §3.10).
    ///
    /// At most `max` issuers are kept, which is 2 to 10,000. Give at least the number of tenants, or 64 for a pattern. An
    /// issuer that has verified a token gives way only to others that have, the least recently used first, and these
    /// take at most three quarters of the places. An issuer that has verified none keeps its place for 30 seconds. While
    /// no place is left, the tokens of further issuers are rejected with 503.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Number`] if `max` is outside of its bounds.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::collections::HashSet;
    /// # #[cfg(feature = "jwks")]
    /// use tower_jwt_auth::keys::RemoteKeySet;
    /// use tower_jwt_auth::{TrustedIssuer, Verifier};
    /// # #[cfg(feature = "jwks")]
    /// # fn example(verifier: Verifier, tenants: HashSet<String>) -> Result<(), tower_jwt_auth::ConfigError> {
    /// let verifier = verifier.and_trust_where(64, move |iss| {
    ///     let tenant = iss.strip_prefix("https://login.example/")?;
    ///     if !tenants.contains(tenant) {
    ///         return None;
    ///     }
    ///     let keys = RemoteKeySet::discover(iss).build().ok()?;
    ///     TrustedIssuer::new(iss, "https://api.example", keys).ok()
    /// })?;
    /// # let _ = verifier;
    /// # Ok(())
    /// # }
    /// ```
    pub fn and_trust_where(
        self,
        max: usize,
        resolve: impl Fn(&str) -> Option<TrustedIssuer> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        if !(2..=10_000).contains(&max) {
            let what = "maximum number of resolved issuers";
            return Err(ConfigError::Number { what, given: max, hint: "give 2 to 10,000" });
        }
        let issuers = self.issuers.with_resolver(Arc::new(resolve), max);
        Ok(Self { issuers, ..self })
    }

    /// Returns the trusted issuers, to change them while this verifier and its clones are in use. Take them after the
    /// last call of [`and_trust`](Self::and_trust) and [`and_trust_where`](Self::and_trust_where), which return a verifier
    /// with issuers of its own.
    pub fn issuers(&self) -> &TrustedIssuers {
        &self.issuers
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
        let verified = self.verify_with_present_keys(token, Unlimited, now);
        Ok(verified.map_err(VerifyError::without_waiting)?.identity)
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
        match self.verify_with_present_keys(token, Unlimited, now) {
            Ok(verified) => Ok(verified.identity),
            Err(VerifyError::NeedsKeys(newer)) => {
                newer.fetched().await;
                self.verify(token, now)
            }
            Err(error) => Err(error.without_waiting()),
        }
    }

    /// Verifies a token without waiting.
    pub(crate) fn verify_with_present_keys(
        &self,
        token: &str,
        admission: impl Admission,
        now: Timestamp,
    ) -> Result<VerifiedToken, VerifyError> {
        thread_local! {
            static SCRATCH: Cell<Scratch> = Cell::default();
        }
        // Taken while in use: deserializing `C` runs the application's code, which may call this function.
        let mut scratch = SCRATCH.take();
        let verified = self.verify_with(token, admission, now, &mut scratch);
        SCRATCH.set(scratch);
        verified
    }

    /// Returns whether a token with this stamp would be verified at this time with the same result.
    pub(crate) fn would_verify(&self, stamp: &Stamp, now: Timestamp) -> bool {
        stamp.is_current(now) && self.issuers.is_current(stamp.issuer())
    }

    fn verify_with(
        &self,
        token: &str,
        admission: impl Admission,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Result<VerifiedToken, VerifyError> {
        if token.len() > self.max_token_length {
            return Err(TokenError::TooLong.into());
        }
        let segments = jws::split(token)?;
        let known = scratch.headers.find(segments.header);
        let decoded = scratch.buffer.decode(segments, known.is_some())?;
        let parsed = decoded.header.map(Header::parse).transpose()?;
        let header = known.or(parsed.as_ref()).ok_or(TokenError::Encoding)?;
        let mut registered = claims::parse(decoded.claims)?;
        let issuer = mem::take(&mut registered.iss).required("iss")?;
        let verified = self.issuers.verify_with(&issuer, |trusted, issuer_stamp| {
            let valid = trusted.validate(header, registered, decoded.claims, now)?;
            let keys = trusted.verify_signature(
                header,
                segments.signing_input,
                decoded.signature,
                admission,
                now,
            )?;
            // Code of the application runs for signed tokens alone.
            let own = claims::read::<C>(decoded.claims)
                .map_err(|error| TokenError::Claims { field: error.field })?;
            let stamp = Stamp::new(issuer_stamp, keys, &valid, trusted);
            let (issuer, scopes) = (trusted.shared_name(), trusted.listed_scopes());
            let identity = Identity::new(issuer, &valid, scopes, own, trusted.leeway(), now);
            Ok(VerifiedToken { identity, stamp })
        });
        if let (Ok(_), Some(parsed)) = (&verified, &parsed) {
            scratch.headers.add(segments.header, parsed);
        }
        verified
    }
}

impl<C> Clone for Verifier<C> {
    fn clone(&self) -> Self {
        let max_token_length = self.max_token_length;
        Self { issuers: self.issuers.clone(), max_token_length, claims: PhantomData }
    }
}

impl<C> fmt::Debug for Verifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("issuers", &self.issuers).finish()
    }
}
