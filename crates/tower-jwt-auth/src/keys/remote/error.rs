use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::error::ConfigError;

/// An error of an HTTP client.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a fetch failed, as a label for metrics. The log has the details.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::keys::FetchErrorKind;
///
/// assert_eq!(FetchErrorKind::Timeout.as_str(), "timeout");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchErrorKind {
    /// The connection could not be established or broke.
    Connection,
    /// The response was not complete in time.
    Timeout,
    /// The response is a redirect. Redirects are not followed.
    Redirect,
    /// The response has another status than 200.
    Status,
    /// The response is longer than the limit.
    TooLarge,
    /// The response is not a JWK set (RFC 7517 §5) or metadata document.
    Malformed,
    /// The metadata names another issuer (RFC 8414 §3.3, OpenID Connect Discovery §4.3).
    Issuer,
    /// The `jwks_uri` of the metadata is not an https URL.
    Url,
    /// The JWK set has no key that can verify signatures here.
    NoKeys,
}

impl FetchErrorKind {
    /// Returns the label, in lower case with underscores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Redirect => "redirect",
            Self::Status => "status",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Issuer => "issuer",
            Self::Url => "url",
            Self::NoKeys => "no_keys",
        }
    }
}

impl fmt::Display for FetchErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a fetch failed. URLs are not part of it: their query may hold a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the request failed")]
    Connection(#[source] BoxError),
    #[error("the response was not complete within {0:?}")]
    Timeout(Duration),
    #[error("the response is a redirect, which is not followed: {0}")]
    Redirect(StatusCode),
    #[error("the response has the status {0}")]
    Status(StatusCode),
    #[error("the response is longer than {0} bytes")]
    TooLarge(usize),
    #[error("the response is not JSON but {0:?}")]
    ContentType(String),
    #[error("the response is not {0}")]
    Malformed(&'static str),
    #[error("the response is not a usable JWK set")]
    Jwks(#[source] ConfigError),
    #[error("the metadata is of the issuer {found:?}, not {expected:?}")]
    Issuer { expected: String, found: String },
    #[error("the jwks_uri of the metadata cannot be used: {0}")]
    Url(&'static str),
    #[error("the JWK set has no usable key")]
    NoKeys,
}

impl FetchError {
    pub(super) fn kind(&self) -> FetchErrorKind {
        match self {
            Self::Connection(_) => FetchErrorKind::Connection,
            Self::Timeout(_) => FetchErrorKind::Timeout,
            Self::Redirect(_) => FetchErrorKind::Redirect,
            Self::Status(_) => FetchErrorKind::Status,
            Self::TooLarge(_) => FetchErrorKind::TooLarge,
            Self::ContentType(_) | Self::Malformed(_) | Self::Jwks(_) => FetchErrorKind::Malformed,
            Self::Issuer { .. } => FetchErrorKind::Issuer,
            Self::Url(_) => FetchErrorKind::Url,
            Self::NoKeys => FetchErrorKind::NoKeys,
        }
    }

    /// Returns the status of the response, if it is the error.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Redirect(status) | Self::Status(status) => Some(*status),
            _ => None,
        }
    }
}

/// Cuts a text of the provider, so that it fits into a line of the log.
pub(super) fn shorten(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    text.chars().take(MAX_CHARS).collect()
}
