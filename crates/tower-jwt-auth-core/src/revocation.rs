use std::fmt;
use std::str::FromStr;

use crate::error::ParseNameError;
use crate::time::Timestamp;

/// A revocation of a token, of a session, or of the older tokens of a subject.
///
/// `until` is the latest expiry of any token that it revokes. Stores keep a revocation longer than that, by the
/// maximum leeway that a verifier may grant, so that no token outlives its revocation.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{Revocation, Timestamp};
///
/// let revocation = Revocation::Token {
///     issuer: "https://shop.example".into(),
///     jti: "0d1b4Sg5TjWwXlBZ2wJ0cw".into(),
///     until: Timestamp::from_unix_seconds(1_700_000_300),
/// };
/// assert_eq!(revocation.until().unix_seconds(), 1_700_000_300);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// One token is revoked, by its `jti`.
    Token {
        /// The issuer of the token.
        issuer: String,
        /// The ID of the token.
        jti: String,
        /// The `exp` of the token.
        until: Timestamp,
    },
    /// All tokens of a session are revoked, by their `sid`.
    Session {
        /// The issuer of the tokens.
        issuer: String,
        /// The ID of the session.
        sid: String,
        /// The latest `exp` of the session's access tokens.
        until: Timestamp,
    },
    /// All tokens of a subject that were issued before a time are revoked. This is for tokens of other issuers: own
    /// sessions end one by one, because an `iat` in whole seconds does not distinguish a token issued before a logout
    /// from one issued after it in the same second.
    ///
    /// The issuer's clock may be ahead of yours by as much as the leeway that you grant to it. To revoke all tokens
    /// issued so far, set `issued_before` that far into the future.
    Subject {
        /// The issuer of the tokens.
        issuer: String,
        /// The subject.
        sub: String,
        /// Tokens with an earlier `iat` are revoked.
        issued_before: Timestamp,
        /// The latest possible `exp` of such a token.
        until: Timestamp,
    },
}

impl Revocation {
    /// Returns the latest expiry of any token that this revokes.
    pub fn until(&self) -> Timestamp {
        match self {
            Self::Token { until, .. }
            | Self::Session { until, .. }
            | Self::Subject { until, .. } => *until,
        }
    }

    /// Returns the time before which the revoked tokens of a subject were issued, or `None` for a token or session.
    pub fn issued_before(&self) -> Option<Timestamp> {
        match self {
            Self::Subject { issued_before, .. } => Some(*issued_before),
            Self::Token { .. } | Self::Session { .. } => None,
        }
    }

    /// Returns whether this revokes the token or session of the key.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth_core::{Revocation, RevocationKey, Timestamp};
    ///
    /// let at = Timestamp::from_unix_seconds;
    /// let issuer = "https://login.example";
    /// let all = Revocation::Subject {
    ///     issuer: issuer.into(), sub: "bob".into(), issued_before: at(100), until: at(400),
    /// };
    /// assert!(all.covers(&RevocationKey::Subject { issuer, sub: "bob", issued_at: at(99) }));
    /// assert!(!all.covers(&RevocationKey::Subject { issuer, sub: "bob", issued_at: at(100) }));
    /// ```
    pub fn covers(&self, key: &RevocationKey<'_>) -> bool {
        let is_old_enough = match (self, key) {
            (Self::Subject { issued_before, .. }, RevocationKey::Subject { issued_at, .. }) => {
                issued_at < issued_before
            }
            _ => true,
        };
        self.target() == key.target() && is_old_enough
    }

    /// Returns the target: its kind, its issuer, and the ID of the token or session or the subject.
    pub fn target(&self) -> (RevocationKind, &str, &str) {
        match self {
            Self::Token { issuer, jti, .. } => (RevocationKind::Token, issuer, jti),
            Self::Session { issuer, sid, .. } => (RevocationKind::Session, issuer, sid),
            Self::Subject { issuer, sub, .. } => (RevocationKind::Subject, issuer, sub),
        }
    }
}

/// The kind of a revocation's target.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::RevocationKind;
///
/// assert_eq!(RevocationKind::Session.as_str(), "session");
/// assert_eq!("session".parse(), Ok(RevocationKind::Session));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevocationKind {
    /// The target is a token, by its `jti`.
    Token,
    /// The target is a session, by its `sid`.
    Session,
    /// The targets are the older tokens of a subject, by their `sub`.
    Subject,
}

impl RevocationKind {
    /// Returns the text that stores keep: `token`, `session` or `subject`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::Subject => "subject",
        }
    }
}

impl FromStr for RevocationKind {
    type Err = ParseNameError;

    /// Reads the text that [`as_str`](Self::as_str) returns.
    fn from_str(name: &str) -> Result<Self, ParseNameError> {
        let all = [Self::Token, Self::Session, Self::Subject];
        all.into_iter().find(|kind| kind.as_str() == name).ok_or(ParseNameError)
    }
}

impl fmt::Display for RevocationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The key of a query: a token or session that may have been revoked.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{MemoryStore, RevocationKey, RevocationLog, StoreError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let store = MemoryStore::new();
/// let key = RevocationKey::Token { issuer: "https://login.example", jti: "0d1b4Sg5TjWwXlBZ2wJ0cw" };
/// assert!(!store.is_revoked(&[key]).await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevocationKey<'a> {
    /// The key is a token, by its `jti`.
    Token {
        /// The issuer of the token.
        issuer: &'a str,
        /// The ID of the token.
        jti: &'a str,
    },
    /// The key is a session, by its `sid`.
    Session {
        /// The issuer of the session's tokens.
        issuer: &'a str,
        /// The ID of the session.
        sid: &'a str,
    },
    /// The key is a token of a subject, by the time at which it was issued.
    Subject {
        /// The issuer of the token.
        issuer: &'a str,
        /// The subject.
        sub: &'a str,
        /// The `iat` of the token.
        issued_at: Timestamp,
    },
}

impl<'a> RevocationKey<'a> {
    /// Returns the time at which the token of a subject was issued, or `None` for a token or session.
    pub fn issued_at(&self) -> Option<Timestamp> {
        match self {
            Self::Subject { issued_at, .. } => Some(*issued_at),
            Self::Token { .. } | Self::Session { .. } => None,
        }
    }

    /// Returns the target of a revocation of this: its kind, its issuer, and the ID of the token or session or the
    /// subject.
    pub fn target(&self) -> (RevocationKind, &'a str, &'a str) {
        match *self {
            Self::Token { issuer, jti } => (RevocationKind::Token, issuer, jti),
            Self::Session { issuer, sid } => (RevocationKind::Session, issuer, sid),
            Self::Subject { issuer, sub, .. } => (RevocationKind::Subject, issuer, sub),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_kinds_parse_to_the_same_kind() {
        for kind in [RevocationKind::Token, RevocationKind::Session, RevocationKind::Subject] {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("whim".parse::<RevocationKind>(), Err(ParseNameError));
    }
}
