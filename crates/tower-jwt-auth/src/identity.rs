use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth_core::{RevocationKey, Timestamp};

use crate::claims::Registered;

/// Who a verified access token says the caller is, with the application's own claims `C`.
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
/// fn greet(identity: &Identity<Profile>) -> String {
///     format!("{} ({})", identity.claims().name, identity.subject())
/// }
/// ```
pub struct Identity<C> {
    verified: Arc<Verified<C>>,
    judged_at: Timestamp,
}

struct Verified<C> {
    issuer: Arc<str>,
    text: Packed,
    issued_at: Option<Timestamp>,
    expires_at: Timestamp,
    /// The leeway that the verifier grants beyond `expires_at`.
    leeway: Duration,
    auth_time: Option<Timestamp>,
    claims: C,
}

/// The token's strings end to end in one allocation.
struct Packed {
    text: Box<str>,
    /// Where each field ends; `None` for one that is missing.
    ends: [Option<u16>; FIELDS],
}

const FIELDS: usize = 5;
const SUBJECT: usize = 0;
const TOKEN_ID: usize = 1;
const SESSION_ID: usize = 2;
const CLIENT_ID: usize = 3;
const SCOPE: usize = 4;

impl Packed {
    fn new(fields: [Option<&str>; FIELDS]) -> Self {
        let mut text = String::with_capacity(fields.iter().flatten().map(|f| f.len()).sum());
        let ends = fields.map(|field| {
            text.push_str(field?);
            // A token has 8 KiB at most.
            u16::try_from(text.len()).ok()
        });
        Self { text: text.into(), ends }
    }

    fn field(&self, field: usize) -> Option<&str> {
        let end = usize::from(self.ends[field]?);
        let start = self.ends[..field].iter().rev().find_map(|end| *end).map_or(0, usize::from);
        self.text.get(start..end)
    }
}

impl<C> Identity<C> {
    /// The identity in claims that have been checked. `sub` and `exp` are there, then.
    pub(crate) fn new(
        issuer: Arc<str>,
        registered: &Registered<'_>,
        claims: C,
        leeway: Duration,
        judged_at: Timestamp,
    ) -> Self {
        let text = Packed::new([
            registered.sub.as_deref(),
            registered.jti.as_deref(),
            registered.sid.as_deref(),
            registered.client_id.as_deref(),
            registered.scope.as_deref(),
        ]);
        let verified = Verified {
            issuer,
            text,
            issued_at: registered.iat,
            expires_at: registered.exp.unwrap_or(Timestamp::UNIX_EPOCH),
            leeway,
            auth_time: registered.auth_time,
            claims,
        };
        Self { verified: Arc::new(verified), judged_at }
    }

    fn field(&self, field: usize) -> Option<&str> {
        self.verified.text.field(field)
    }

    /// The user or client, unique at the issuer: the `sub` claim (RFC 7519 §4.1.2).
    pub fn subject(&self) -> &str {
        self.field(SUBJECT).unwrap_or_default()
    }

    /// Who issued the token: the `iss` claim (RFC 7519 §4.1.1).
    pub fn issuer(&self) -> &str {
        &self.verified.issuer
    }

    /// The session that the token was made for: the `sid` claim. Tokens of our own always have one.
    pub fn session_id(&self) -> Option<&str> {
        self.field(SESSION_ID)
    }

    /// The name of the token: the `jti` claim (RFC 7519 §4.1.7). Tokens of our own always have one.
    pub fn token_id(&self) -> Option<&str> {
        self.field(TOKEN_ID)
    }

    /// The client that the token was issued to (RFC 8693 §4.3).
    pub fn client_id(&self) -> Option<&str> {
        self.field(CLIENT_ID)
    }

    /// The scope, space-separated (RFC 8693 §4.2); empty for none.
    pub fn scope(&self) -> &str {
        self.field(SCOPE).unwrap_or_default()
    }

    /// Whether this scope is among those granted. Scopes are compared with regard to case (RFC 6749 §3.3).
    pub fn has_scope(&self, scope: &str) -> bool {
        !scope.is_empty() && self.scope().split(' ').any(|granted| granted == scope)
    }

    /// When the user last proved who they are: the `auth_time` claim. Refreshing does not change it.
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.verified.auth_time
    }

    /// When the token was issued.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.verified.issued_at
    }

    /// When the token expires.
    pub fn expires_at(&self) -> Timestamp {
        self.verified.expires_at
    }

    /// Whether the token is expired at this time, by the leeway with which it was accepted.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at() + self.verified.leeway
    }

    /// The time at which the token was judged, which is the time of the request.
    pub fn judged_at(&self) -> Timestamp {
        self.judged_at
    }

    /// The application's own claims.
    pub fn claims(&self) -> &C {
        &self.verified.claims
    }

    /// What would have to be revoked for this token to be dead: it, its session, or the older tokens of its
    /// subject.
    pub(crate) fn revocation_keys(&self) -> impl Iterator<Item = RevocationKey<'_>> {
        let issuer = self.issuer();
        let token = self.token_id().map(|jti| RevocationKey::Token { issuer, jti });
        let session = self.session_id().map(|sid| RevocationKey::Session { issuer, sid });
        let subject = RevocationKey::Subject {
            issuer,
            sub: self.subject(),
            // A token that hides its age is as old as can be.
            issued_at: self.issued_at().unwrap_or(Timestamp::UNIX_EPOCH),
        };
        token.into_iter().chain(session).chain([subject])
    }
}

impl<C> Clone for Identity<C> {
    fn clone(&self) -> Self {
        Self { verified: Arc::clone(&self.verified), judged_at: self.judged_at }
    }
}

impl<C> fmt::Debug for Identity<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
            .field("session_id", &self.session_id())
            .field("scope", &self.scope())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_fields_come_out_as_they_went_in() {
        let all = Packed::new([Some("alice"), Some("j"), Some(""), Some("web"), Some("a b")]);
        let out = |packed: &Packed| {
            (0..FIELDS).map(|n| packed.field(n).map(str::to_owned)).collect::<Vec<_>>()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(out(&all), [some("alice"), some("j"), some(""), some("web"), some("a b")]);
        let few = Packed::new([Some("älice"), None, None, None, Some("x")]);
        assert_eq!(out(&few), [some("älice"), None, None, None, some("x")]);
        assert_eq!(out(&Packed::new([None; FIELDS])), [None, None, None, None, None]);
    }
}
