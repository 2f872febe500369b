//! The claims set: what is registered (RFC 7519 §4.1, RFC 9068 §2.2) and what is the application's own, read
//! in one pass, and the rules for the former.

mod application;
mod parse;
mod validate;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::application::ApplicationClaims;
pub use self::application::ClaimsError;
pub(crate) use self::parse::{Registered, parse};
pub(crate) use self::validate::{Requirements, check};
use crate::error::ConfigError;

/// The type of access tokens (RFC 9068 §2.1).
pub(crate) const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// The most leeway that can be granted.
pub(crate) const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// The claims that this library writes and reads; an application's own must go by other names.
pub(crate) const REGISTERED: [&str; 11] =
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "sid", "auth_time", "scope"];

/// A leeway that can be granted.
pub(crate) fn leeway(given: Duration) -> Result<Duration, ConfigError> {
    if given > MAX_LEEWAY {
        let hint = "give five minutes at most, and set the clocks";
        return Err(ConfigError::Duration { what: "leeway", given, hint });
    }
    Ok(given)
}

/// A name that tokens carry, which must not be empty.
pub(crate) fn name(
    name: String,
    what: &'static str,
    hint: &'static str,
) -> Result<Arc<str>, ConfigError> {
    if name.is_empty() || name.contains(char::is_control) {
        return Err(ConfigError::Name { what, hint });
    }
    Ok(name.into())
}
