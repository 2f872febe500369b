//! Conversions between Rust types and the texts that scripts take and return.

use std::str::FromStr;
use std::time::Duration;

use tower_jwt_auth_core::{StoreError, Timestamp};

/// Converts a duration to milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Converts an optional argument to a text, which is empty for `None`.
pub(crate) fn optional<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Parses a number or an ID. `name` is that of its field.
pub(crate) fn parse<T: FromStr>(name: &str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| malformed(name))
}

/// Parses a time in milliseconds since 1970.
pub(crate) fn parse_time(name: &str, text: &str) -> Result<Timestamp, StoreError> {
    parse(name, text).map(Timestamp::from_unix_millis)
}

/// Returns the error for a field. Its value may be secret and is therefore not part of the error.
pub(crate) fn malformed(name: &str) -> StoreError {
    StoreError::corrupt(format!("the field {name} is missing or malformed"))
}

/// Returns the error for a response that the server does not return to this crate.
pub(crate) fn malformed_response() -> StoreError {
    StoreError::corrupt("the response of the server is malformed")
}
