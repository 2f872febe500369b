use std::fmt;
use std::str::FromStr;

use crate::error::ParseNameError;
use crate::time::Timestamp;

/// The reason for which a session was ended before it expired.
///
/// A store keeps the text of [`as_str`](Self::as_str) and no store decides by the reason. The enum may therefore grow.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::EndReason;
///
/// assert_eq!(EndReason::Logout.as_str(), "logout");
/// assert_eq!("logout".parse(), Ok(EndReason::Logout));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The owner signed out of this session or of several.
    Logout,
    /// A spent refresh token was presented again.
    Reuse,
    /// A new sign-in on the same client replaced the session.
    Replaced,
    /// The subject had more sessions than its [`SessionLimit`](crate::SessionLimit) allows.
    Limit,
    /// The application refused to renew the session.
    Refused,
}

impl EndReason {
    /// Returns the text that stores keep and that is logged, for example `logout`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Reuse => "reuse",
            Self::Replaced => "replaced",
            Self::Limit => "limit",
            Self::Refused => "refused",
        }
    }
}

impl FromStr for EndReason {
    type Err = ParseNameError;

    /// Reads the text that [`as_str`](Self::as_str) returns.
    fn from_str(name: &str) -> Result<Self, ParseNameError> {
        [Self::Logout, Self::Reuse, Self::Replaced, Self::Limit, Self::Refused]
            .into_iter()
            .find(|reason| reason.as_str() == name)
            .ok_or(ParseNameError)
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The end of a session: its time and its reason.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{EndReason, Ended, SecretHash, SessionId, SessionRecord, Timestamp};
///
/// let now = Timestamp::from_unix_seconds(1_700_000_000);
/// let hash = SecretHash::from_bytes([7; 32]);
/// let id = SessionId::from_bytes([1; 16]);
/// let mut record = SessionRecord::new(id, "https://shop.example", "alice", hash, now);
/// record.ended = Some(Ended { at: now, reason: EndReason::Logout });
/// assert!(!record.is_live(now));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The time of the end by the store's clock.
    pub at: Timestamp,
    /// The reason for the end.
    pub reason: EndReason,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_reasons_parse_to_the_same_reason() {
        for reason in [
            EndReason::Logout,
            EndReason::Reuse,
            EndReason::Replaced,
            EndReason::Limit,
            EndReason::Refused,
        ] {
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
        assert_eq!("whim".parse::<EndReason>(), Err(ParseNameError));
    }
}
