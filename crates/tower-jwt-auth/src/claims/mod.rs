//! The claims set. The registered claims (RFC 7519 §4.1, RFC 9068 §2.2) are parsed and validated first. The application's
//! type is read after the signature has been verified.

mod application;
mod claim;
mod compact;
mod member;
mod parse;
mod read;
mod registered;
mod validate;
mod values;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::application::ApplicationClaims;
pub use self::application::ClaimsError;
pub(crate) use self::parse::parse;
pub(crate) use self::read::{ReadError, read, read_stored};
pub(crate) use self::registered::{REGISTERED, RegisteredClaims};
pub(crate) use self::validate::{ValidClaims, ValidationRules, validate};
use crate::error::ConfigError;

/// The type of access tokens (RFC 9068 §2.1).
pub(crate) const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// The maximum leeway.
pub(crate) const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// Checks that a leeway is within its bound.
pub(crate) fn check_leeway(given: Duration) -> Result<Duration, ConfigError> {
    if given > MAX_LEEWAY {
        let hint = "give at most five minutes, and synchronize the clocks";
        return Err(ConfigError::Duration { what: "leeway", given, hint });
    }
    Ok(given)
}

/// Checks a name that tokens carry: it must not be empty or contain control characters.
pub(crate) fn check_name(
    name: String,
    what: &'static str,
    hint: &'static str,
) -> Result<Arc<str>, ConfigError> {
    if name.is_empty() || name.contains(char::is_control) {
        return Err(ConfigError::Name { what, hint });
    }
    Ok(name.into())
}
