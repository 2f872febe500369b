//! Conversions between the integers of Rust and those of the tables.

#[cfg(feature = "postgres")]
use std::time::Duration;

use tower_jwt_auth_core::StoreError;

/// Converts a number to a column's type.
pub(crate) fn to_i64(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(StoreError::corrupt)
}

/// Converts a number from a column's type.
pub(crate) fn to_u64(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(StoreError::corrupt)
}

/// Converts a duration to milliseconds. The maximum can be added to or subtracted from any time of these centuries
/// without an overflow.
#[cfg(feature = "postgres")]
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

/// Converts a number of rows to the argument of `LIMIT`.
pub(crate) fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Converts a number of rows that a statement affected.
pub(crate) fn row_count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}
