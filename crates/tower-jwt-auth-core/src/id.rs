use std::fmt;
use std::str::FromStr;

/// The length of an identifier in bytes: 128 bits.
const LENGTH: usize = 16;
/// The length of an identifier as text: base64url without padding (RFC 4648 §5).
const TEXT_LENGTH: usize = 22;

/// The operating system's random number generator failed.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{EntropyError, SessionId, TokenId};
///
/// fn new_ids() -> Result<(SessionId, TokenId), EntropyError> {
///     Ok((SessionId::random()?, TokenId::random()?))
/// }
/// # new_ids().unwrap();
/// ```
#[derive(Debug, thiserror::Error)]
#[error("the operating system returned no random numbers")]
pub struct EntropyError(#[source] getrandom::Error);

/// The text is not an identifier: 22 characters of canonical base64url are expected.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::SessionId;
///
/// let error = "alice".parse::<SessionId>().unwrap_err();
/// assert_eq!(error.to_string(), "not an identifier: 22 characters of canonical base64url are expected");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier: 22 characters of canonical base64url are expected")]
pub struct ParseIdError(());

fn random() -> Result<[u8; LENGTH], EntropyError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(EntropyError)?;
    Ok(bytes)
}

fn parse(text: &str) -> Result<[u8; LENGTH], ParseIdError> {
    if text.len() != TEXT_LENGTH {
        return Err(ParseIdError(()));
    }
    let mut bytes = [0; LENGTH];
    match base64_simd::URL_SAFE_NO_PAD
        .decode(text.as_bytes(), base64_simd::Out::from_slice(&mut bytes))
    {
        Ok(written) if written.len() == LENGTH => Ok(bytes),
        _ => Err(ParseIdError(())),
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; LENGTH]);

        impl $name {
            /// Creates an identifier of 128 random bits from the operating system.
            ///
            /// # Errors
            ///
            /// Returns [`EntropyError`] if the operating system returns no random numbers.
            pub fn random() -> Result<Self, EntropyError> {
                random().map(Self)
            }

            /// Creates the identifier of 16 bytes that a store has kept.
            pub const fn from_bytes(bytes: [u8; LENGTH]) -> Self {
                Self(bytes)
            }

            /// Returns the 16 bytes for a store to keep.
            pub const fn as_bytes(&self) -> &[u8; LENGTH] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            /// Writes 22 characters of base64url without padding (RFC 4648 §5).
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; TEXT_LENGTH];
                let out = base64_simd::Out::from_slice(&mut text);
                f.write_str(base64_simd::URL_SAFE_NO_PAD.encode_as_str(&self.0, out))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            /// Reads 22 characters of canonical base64url.
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse(text).map(Self)
            }
        }
    };
}

identifier! {
    /// The ID of a session: the `sid` claim of its access tokens and refresh tokens.
    ///
    /// The ID is not a credential. It identifies the session and grants no access to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth_core::SessionId;
    ///
    /// let id = SessionId::random()?;
    /// assert_eq!(id.to_string().parse(), Ok(id));
    /// # Ok::<(), tower_jwt_auth_core::EntropyError>(())
    /// ```
    SessionId
}

identifier! {
    /// The ID of a token: the `jti` claim (RFC 7519 §4.1.7).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth_core::TokenId;
    ///
    /// let id = TokenId::from_bytes([0; 16]);
    /// assert_eq!(id.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
    /// ```
    TokenId
}

identifier! {
    /// The ID of a node that follows the revocation log.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth_core::{Heartbeat, NodeId, Timestamp};
    ///
    /// let node = NodeId::random()?;
    /// let heartbeat = Heartbeat { node, beat: 1, at: Timestamp::from_unix_seconds(1_700_000_000) };
    /// # Ok::<(), tower_jwt_auth_core::EntropyError>(())
    /// ```
    NodeId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_canonical_base64url_without_padding() {
        let id = SessionId::from_bytes([0xff; 16]);
        assert_eq!(id.to_string(), "_____________________w");
        assert_eq!("_____________________w".parse(), Ok(id));
        for bad in [
            "",
            "_____________________x", // non-zero trailing bits
            "_____________________w==",
            "/////////////////////w",
            "____________________",
            "______________________w",
            "é____________________",
        ] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn random_identifiers_differ() {
        assert_ne!(TokenId::random().unwrap(), TokenId::random().unwrap());
    }
}
