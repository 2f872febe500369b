use std::fmt;
use std::str::FromStr;

use crate::{NodeId, Timestamp};

/// Something that is no longer accepted, of which issuer, and until when that matters.
///
/// `until` is the latest expiry of any token that it concerns. It is kept longer by the most leeway that a
/// verifier may grant, so that a token never outlives its revocation.
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
    /// One token, by its `jti`.
    Token {
        /// Who issued it.
        issuer: String,
        /// The token's name.
        jti: String,
        /// The token's `exp`.
        until: Timestamp,
    },
    /// All tokens of a session, by their `sid`.
    Session {
        /// Who issued them.
        issuer: String,
        /// The session's name.
        sid: String,
        /// The latest `exp` of the session's access tokens.
        until: Timestamp,
    },
    /// All tokens of a subject that were issued before a time, for tokens of other people's issuers. Sessions
    /// of our own are ended one by one: a whole-second `iat` cannot tell a token made before a logout from one
    /// made after it in the same second.
    ///
    /// An issuer's clock may be ahead of yours by as much as the leeway that you grant it: to reach all tokens
    /// made so far, name a time that much from now.
    Subject {
        /// Who issued them.
        issuer: String,
        /// The subject.
        sub: String,
        /// Tokens with an earlier `iat` are revoked.
        issued_before: Timestamp,
        /// The latest `exp` that such a token can have.
        until: Timestamp,
    },
}

impl Revocation {
    /// The latest expiry of any token that this concerns.
    pub fn until(&self) -> Timestamp {
        match self {
            Self::Token { until, .. }
            | Self::Session { until, .. }
            | Self::Subject { until, .. } => *until,
        }
    }

    /// Before when the tokens of the subject were issued; none where it is not about a subject.
    pub fn issued_before(&self) -> Option<Timestamp> {
        match self {
            Self::Subject { issued_before, .. } => Some(*issued_before),
            Self::Token { .. } | Self::Session { .. } => None,
        }
    }

    /// Whether this revokes what the key asks for.
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
        let in_time = match (self, key) {
            (Self::Subject { issued_before, .. }, RevocationKey::Subject { issued_at, .. }) => {
                issued_at < issued_before
            }
            _ => true,
        };
        self.target() == key.target() && in_time
    }

    /// What it names: its kind, its issuer, and the token, session or subject.
    pub fn target(&self) -> (RevocationKind, &str, &str) {
        match self {
            Self::Token { issuer, jti, .. } => (RevocationKind::Token, issuer, jti),
            Self::Session { issuer, sid, .. } => (RevocationKind::Session, issuer, sid),
            Self::Subject { issuer, sub, .. } => (RevocationKind::Subject, issuer, sub),
        }
    }
}

/// The kinds of what can be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevocationKind {
    /// A token, by its `jti`.
    Token,
    /// A session, by its `sid`.
    Session,
    /// The older tokens of a subject, by its `sub`.
    Subject,
}

impl RevocationKind {
    /// The name to store.
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

    /// Reads a name as [`as_str`](Self::as_str) gives it.
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

/// A text is not the name of any value of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name is unknown")]
pub struct ParseNameError;

/// What is asked of a log: whether this has been revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevocationKey<'a> {
    /// A token by its `jti`.
    Token {
        /// Who issued it.
        issuer: &'a str,
        /// The token's name.
        jti: &'a str,
    },
    /// A session by its `sid`.
    Session {
        /// Who issued the session's tokens.
        issuer: &'a str,
        /// The session's name.
        sid: &'a str,
    },
    /// A token of a subject by the time at which it was issued.
    Subject {
        /// Who issued it.
        issuer: &'a str,
        /// The subject.
        sub: &'a str,
        /// The token's `iat`.
        issued_at: Timestamp,
    },
}

impl<'a> RevocationKey<'a> {
    /// When the token was issued, where its subject is asked for.
    pub fn issued_at(&self) -> Option<Timestamp> {
        match self {
            Self::Subject { issued_at, .. } => Some(*issued_at),
            Self::Token { .. } | Self::Session { .. } => None,
        }
    }

    /// What a revocation of this names: its kind, its issuer, and the token, session or subject.
    pub fn target(&self) -> (RevocationKind, &'a str, &'a str) {
        match *self {
            Self::Token { issuer, jti } => (RevocationKind::Token, issuer, jti),
            Self::Session { issuer, sid } => (RevocationKind::Session, issuer, sid),
            Self::Subject { issuer, sub, .. } => (RevocationKind::Subject, issuer, sub),
        }
    }
}

/// A sign of life that a node writes to the log and waits to read back.
///
/// Reading alone shows nothing: an isolated old primary answers reads as if all were well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Heartbeat {
    /// The node that wrote it.
    pub node: NodeId,
    /// The node's own count.
    pub beat: u64,
    /// When the node wrote it, by the node's clock; when it may be purged.
    pub at: Timestamp,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogEntry {
    /// Something was revoked.
    Revocation(Revocation),
    /// A node wrote to see whether it would read it.
    Heartbeat(Heartbeat),
}

impl LogEntry {
    /// When the entry has ceased to matter to anyone (to which the purger adds the most leeway).
    pub fn until(&self) -> Timestamp {
        match self {
            Self::Revocation(revocation) => revocation.until(),
            Self::Heartbeat(heartbeat) => heartbeat.at,
        }
    }
}

/// A place in the log, opaque to everyone but the store that made it.
///
/// It names the incarnation of the log too, so that a cursor into a log that has been restored from a backup
/// is recognised as lost.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(Box<[u8]>);

impl Cursor {
    /// A cursor of these bytes.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the store that made them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({} bytes)", self.0.len())
    }
}

/// What reading the log gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPage {
    /// Entries in an order in which none that was committed before is missed. Some may be seen twice.
    Entries {
        /// The entries; there may be none.
        entries: Vec<LogEntry>,
        /// Where to read on.
        next: Cursor,
        /// Whether more can be read at once.
        more: bool,
    },
    /// The cursor points nowhere in this incarnation of the log: read everything again from the start, and
    /// keep what was known.
    CursorLost,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names_that_lead_back() {
        for kind in [RevocationKind::Token, RevocationKind::Session, RevocationKind::Subject] {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("whim".parse::<RevocationKind>(), Err(ParseNameError));
    }
}
