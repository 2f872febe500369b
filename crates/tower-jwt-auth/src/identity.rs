use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth_core::{RevocationKey, Timestamp};

use crate::claims::ValidClaims;
use crate::http::challenge::Challenge;

/// The caller that a verified access token identifies.
///
/// [`JwtAuthLayer`](crate::JwtAuthLayer) puts it into the extensions of a request. The application's own claims are
/// read with [`claims`](Self::claims), or with the extractor [`Claims`].
///
/// Cloning it copies a pointer.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::Identity;
///
/// #[derive(serde::Deserialize)]
/// struct Profile { name: String }
///
/// fn greet(identity: &Identity) -> Option<String> {
///     let profile = identity.claims::<Profile>()?;
///     Some(format!("{} ({})", profile.name, identity.subject()))
/// }
/// ```
#[derive(Clone)]
pub struct Identity {
    verified: Arc<Verified<dyn Any + Send + Sync>>,
    verified_at: Timestamp,
    challenge: Challenge,
}

struct Verified<C: ?Sized> {
    issuer: Arc<str>,
    text: PackedStrings,
    issued_at: Option<Timestamp>,
    expires_at: Timestamp,
    /// The leeway that the verifier grants beyond `expires_at`.
    leeway: Duration,
    auth_time: Option<Timestamp>,
    /// The last field, so that the type of the claims can be erased.
    claims: C,
}

/// The strings of a token, concatenated in one allocation.
struct PackedStrings {
    text: Box<str>,
    /// The end of each field; `None` for a missing field.
    ends: [Option<u16>; FIELDS],
}

const FIELDS: usize = 5;
const SUBJECT: usize = 0;
const TOKEN_ID: usize = 1;
const SESSION_ID: usize = 2;
const CLIENT_ID: usize = 3;
const SCOPE: usize = 4;

impl PackedStrings {
    /// Concatenates these fields and the scopes, which are separated by spaces.
    fn new<'f>(
        fields: [Option<&str>; SCOPE],
        scopes: Option<impl Iterator<Item = &'f str> + Clone>,
    ) -> Self {
        let scopes_length =
            scopes.iter().cloned().flatten().map(|scope| scope.len() + 1).sum::<usize>();
        let length: usize = fields.iter().flatten().map(|f| f.len()).sum();
        let mut text = String::with_capacity(length + scopes_length.saturating_sub(1));
        let mut ends = [None; FIELDS];
        // A token has at most 64 KiB, and its claims are shorter.
        let end = |text: &str| u16::try_from(text.len()).ok();
        for (field, end_of_field) in fields.iter().zip(&mut ends) {
            if let Some(field) = field {
                text.push_str(field);
                *end_of_field = end(&text);
            }
        }
        if let Some(scopes) = scopes {
            for (at, scope) in scopes.enumerate() {
                text.push_str(if at == 0 { "" } else { " " });
                text.push_str(scope);
            }
            ends[SCOPE] = end(&text);
        }
        Self { text: text.into(), ends }
    }

    fn field(&self, field: usize) -> Option<&str> {
        let end = usize::from(self.ends[field]?);
        let start = self.ends[..field].iter().rev().find_map(|end| *end).map_or(0, usize::from);
        self.text.get(start..end)
    }
}

impl Identity {
    /// Creates the identity of claims that have passed all checks. Of the scopes, it has those that are listed, or all.
    pub(crate) fn new<C: Send + Sync + 'static>(
        issuer: Arc<str>,
        valid: &ValidClaims<'_>,
        listed_scopes: Option<&[Box<str>]>,
        claims: C,
        leeway: Duration,
        verified_at: Timestamp,
    ) -> Self {
        let text = PackedStrings::new(
            [
                Some(&*valid.sub),
                valid.jti.as_deref(),
                valid.sid.as_deref(),
                valid.client_id.as_deref(),
            ],
            valid.scope.as_ref().map(|scopes| scopes.granted(listed_scopes)),
        );
        let verified = Verified {
            issuer,
            text,
            issued_at: valid.iat,
            expires_at: valid.exp,
            leeway,
            auth_time: valid.auth_time,
            claims,
        };
        Self { verified: Arc::new(verified), verified_at, challenge: Challenge::default() }
    }

    fn field(&self, field: usize) -> Option<&str> {
        self.verified.text.field(field)
    }

    /// Returns the user or client, unique at the issuer: the `sub` claim (RFC 7519 §4.1.2). Another issuer may have the
    /// same subject: compare the [`issuer`](Self::issuer) as well.
    pub fn subject(&self) -> &str {
        self.field(SUBJECT).unwrap_or_default()
    }

    /// Returns the issuer of the token: the `iss` claim (RFC 7519 §4.1.1).
    pub fn issuer(&self) -> &str {
        &self.verified.issuer
    }

    /// Returns the session of the token: the `sid` claim. Tokens of this library always have one.
    pub fn session_id(&self) -> Option<&str> {
        self.field(SESSION_ID)
    }

    /// Returns the id of the token: the `jti` claim (RFC 7519 §4.1.7). Tokens of this library always have one.
    pub fn token_id(&self) -> Option<&str> {
        self.field(TOKEN_ID)
    }

    /// Returns the client that the token was issued to: the `client_id` claim (RFC 8693 §4.3).
    pub fn client_id(&self) -> Option<&str> {
        self.field(CLIENT_ID)
    }

    /// Returns the granted scopes, separated by spaces: the `scope` claim (RFC 8693 §4.2). Empty if the token has none.
    /// Scopes that its issuer may not grant ([`TrustedIssuer::with_scopes`](crate::TrustedIssuer::with_scopes)) are not
    /// among them.
    pub fn scope(&self) -> &str {
        self.field(SCOPE).unwrap_or_default()
    }

    /// Returns whether this scope is granted. Scopes are case-sensitive (RFC 6749 §3.3).
    pub fn has_scope(&self, scope: &str) -> bool {
        !scope.is_empty() && self.scope().split(' ').any(|granted| granted == scope)
    }

    /// Returns the time at which the user last authenticated: the `auth_time` claim (RFC 9068 §2.2.1). A refresh does
    /// not change it.
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.verified.auth_time
    }

    /// Returns the time at which the token was issued: the `iat` claim (RFC 7519 §4.1.6).
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.verified.issued_at
    }

    /// Returns the time at which the token expires: the `exp` claim (RFC 7519 §4.1.4).
    pub fn expires_at(&self) -> Timestamp {
        self.verified.expires_at
    }

    /// Returns whether the token is expired at this time, with the leeway of the verifier that accepted it.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at() + self.verified.leeway
    }

    /// Returns the time of the check, by the clock of the layer: the time of the request, also for a token whose
    /// signature was verified at an earlier one.
    pub fn verified_at(&self) -> Timestamp {
        self.verified_at
    }

    /// Returns the application's own claims, or `None` where the verifier reads claims of another type.
    ///
    /// Requests with the same token may share them, so their type should not contain state of a request, such as a
    /// `OnceLock`.
    ///
    /// `None` is a mistake in the setup, which is logged as an error: the verifier lacks
    /// [`with_claims`](crate::Verifier::with_claims). Treat it as a rejection. The extractor [`Claims`] responds with
    /// 500.
    pub fn claims<C: Send + Sync + 'static>(&self) -> Option<&C> {
        let claims = self.verified.claims.downcast_ref();
        if claims.is_none() {
            let expected = std::any::type_name::<C>();
            tracing::error!(expected, "the verifier reads application claims of another type");
        }
        claims
    }

    /// Returns the identity of a repeated request with the same token.
    pub(crate) fn for_repeated_request(&self, now: Timestamp) -> Self {
        let verified = Arc::clone(&self.verified);
        Self { verified, verified_at: now, challenge: Challenge::default() }
    }

    /// Returns the bytes that the identity takes, without the heap of the application's claims.
    pub(crate) fn size(&self) -> usize {
        const COUNTERS: usize = 2 * size_of::<usize>();
        COUNTERS + size_of_val(&*self.verified) + self.verified.text.text.len()
    }

    /// Sets the challenge of the layer that has verified the token, for the rejections of the layers inside of it.
    pub(crate) fn set_challenge(&mut self, challenge: &Challenge) {
        self.challenge.clone_from(challenge);
    }

    pub(crate) fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// Returns the keys whose revocation revokes this token: its own, that of its session, and that of the older tokens
    /// of its subject.
    pub(crate) fn revocation_keys(&self) -> impl Iterator<Item = RevocationKey<'_>> {
        let issuer = self.issuer();
        let token = self.token_id().map(|jti| RevocationKey::Token { issuer, jti });
        let session = self.session_id().map(|sid| RevocationKey::Session { issuer, sid });
        let subject = RevocationKey::Subject {
            issuer,
            sub: self.subject(),
            // A token without `iat` counts as older than any revocation.
            issued_at: self.issued_at().unwrap_or(Timestamp::UNIX_EPOCH),
        };
        token.into_iter().chain(session).chain([subject])
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
            .field("session_id", &self.session_id())
            .field("scope", &self.scope())
            .finish_non_exhaustive()
    }
}

/// The application's own claims `C` of a verified access token.
///
/// With the feature `axum` it is an extractor.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::Claims;
///
/// #[derive(serde::Deserialize)]
/// struct Profile { name: String }
///
/// async fn hello(profile: Claims<Profile>) -> String {
///     format!("Hello, {}", profile.name)
/// }
/// ```
pub struct Claims<C> {
    identity: Identity,
    claims: PhantomData<fn() -> C>,
}

impl<C: Send + Sync + 'static> Claims<C> {
    /// Creates the claims of an identity, or returns `None` if its verifier reads claims of another type.
    pub fn of(identity: &Identity) -> Option<Self> {
        identity.claims::<C>()?;
        Some(Self { identity: identity.clone(), claims: PhantomData })
    }

    /// Returns the identity whose claims these are.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl<C: Send + Sync + 'static> Deref for Claims<C> {
    type Target = C;

    fn deref(&self) -> &C {
        match self.identity.claims() {
            Some(claims) => claims,
            None => unreachable!("`Claims::of` has checked the type"),
        }
    }
}

impl<C> Clone for Claims<C> {
    fn clone(&self) -> Self {
        Self { identity: self.identity.clone(), claims: PhantomData }
    }
}

impl<C> fmt::Debug for Claims<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("identity", &self.identity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_fields_are_returned_unchanged() {
        let out = |packed: &PackedStrings| {
            (0..FIELDS).map(|n| packed.field(n).map(str::to_owned)).collect::<Vec<_>>()
        };
        let some = |text: &str| Some(text.to_owned());
        let scopes = |list: &'static [&'static str]| Some(list.iter().copied());
        let fields = [Some("alice"), Some("j"), Some(""), Some("web")];
        let all = PackedStrings::new(fields, scopes(&["a", "b"]));
        assert_eq!(out(&all), [some("alice"), some("j"), some(""), some("web"), some("a b")]);
        let few = PackedStrings::new([Some("älice"), None, None, None], scopes(&["x"]));
        assert_eq!(out(&few), [some("älice"), None, None, None, some("x")]);
        let none = PackedStrings::new([None; SCOPE], scopes(&[]));
        assert_eq!(out(&none), [None, None, None, None, some("")]);
        let none = PackedStrings::new([None; SCOPE], scopes(&[]).filter(|_| false));
        assert_eq!(out(&none), [None, None, None, None, None]);
    }
}
