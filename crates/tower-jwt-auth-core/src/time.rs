use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Arithmetic saturates at both ends of the range, so no date in a token overflows.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth_core::Timestamp;
///
/// let issued = Timestamp::from_unix_seconds(1_700_000_000);
/// let expires = issued + Duration::from_secs(300);
/// assert_eq!(expires.unix_seconds(), 1_700_000_300);
/// assert_eq!(expires.since(issued), Duration::from_secs(300));
/// assert_eq!(issued.since(expires), Duration::ZERO);
/// ```
///
/// It converts from and to [`SystemTime`], and through that to the types of `chrono`, `jiff` and `time`:
///
/// ```
/// use std::time::SystemTime;
/// use tower_jwt_auth_core::Timestamp;
///
/// let now = Timestamp::from(SystemTime::now());
/// let same = SystemTime::try_from(now)?;
/// assert_eq!(Timestamp::from(same), now);
/// # Ok::<(), tower_jwt_auth_core::TimestampRangeError>(())
/// ```
///
/// With the feature `serde` it is serialized as an integer: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The time is outside of the range of [`SystemTime`] on this platform.
///
/// On Windows the range ends around the year 30828. On Unix every [`Timestamp`] is inside of it.
///
/// # Examples
///
/// ```
/// use std::time::SystemTime;
/// use tower_jwt_auth_core::{Timestamp, TimestampRangeError};
///
/// fn modified(file_time: Timestamp) -> Result<SystemTime, TimestampRangeError> {
///     file_time.try_into()
/// }
/// assert_eq!(modified(Timestamp::UNIX_EPOCH), Ok(SystemTime::UNIX_EPOCH));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time is outside of the range of the system's clock")]
pub struct TimestampRangeError(());

impl Timestamp {
    /// The latest time that can be represented, some 292 million years from now.
    pub const MAX: Self = Self(i64::MAX);
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);

    /// Creates the time that is this many whole seconds after the Unix epoch.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Creates the time that is this many milliseconds after the Unix epoch.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns the whole seconds since the Unix epoch, rounded down: a `NumericDate` (RFC 7519 §2).
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Returns the milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// Returns the time that has passed since `earlier`, or zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// Returns the time with the fraction of a second removed.
    pub const fn floor_to_second(self) -> Self {
        Self::from_unix_seconds(self.unix_seconds())
    }
}

/// Returns the whole milliseconds, at most `i64::MAX`. In 64 bits, because each request converts several times.
pub(crate) fn millis(duration: Duration) -> i64 {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    seconds.saturating_mul(1000).saturating_add(i64::from(duration.subsec_millis()))
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

impl From<SystemTime> for Timestamp {
    /// Converts the time and drops the fraction of a millisecond.
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self::UNIX_EPOCH + after,
            Err(before) => {
                let millis = i64::try_from(before.duration().as_millis());
                Self(millis.map_or(i64::MIN, |millis| -millis))
            }
        }
    }
}

impl TryFrom<Timestamp> for SystemTime {
    type Error = TimestampRangeError;

    /// Converts the time without loss.
    ///
    /// # Errors
    ///
    /// Returns [`TimestampRangeError`] if the platform's [`SystemTime`] cannot represent the time.
    fn try_from(time: Timestamp) -> Result<Self, TimestampRangeError> {
        let distance = Duration::from_millis(time.0.unsigned_abs());
        let converted = if time.0 < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        converted.ok_or(TimestampRangeError(()))
    }
}

impl fmt::Display for Timestamp {
    /// Writes the seconds since the Unix epoch with three decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.unix_seconds(), self.0.rem_euclid(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_overflowing() {
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
        assert_eq!(Timestamp::UNIX_EPOCH + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::from_unix_seconds(i64::MAX), Timestamp::MAX);
        let start = Timestamp::from_unix_millis(i64::MIN);
        assert_eq!(start - Duration::from_secs(1), start);
        assert_eq!(start.since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::MAX.since(start), Duration::from_millis(i64::MAX as u64));
    }

    #[test]
    fn durations_are_whole_milliseconds() {
        for (duration, expected) in [
            (Duration::from_nanos(1_999_999_999), 1999),
            (Duration::from_nanos(999_999), 0),
            (Duration::from_millis(i64::MAX as u64), i64::MAX),
            (Duration::from_secs(i64::MAX as u64 / 1000 + 1), i64::MAX),
            (Duration::MAX, i64::MAX),
        ] {
            assert_eq!(millis(duration), expected, "{duration:?}");
        }
    }

    #[test]
    fn seconds_round_down_on_both_sides_of_the_epoch() {
        assert_eq!(Timestamp::from_unix_millis(1999).unix_seconds(), 1);
        assert_eq!(Timestamp::from_unix_millis(-1).unix_seconds(), -1);
        assert_eq!(Timestamp::from_unix_millis(1999).floor_to_second().unix_millis(), 1000);
    }

    #[test]
    fn system_times_convert_on_both_sides_of_the_epoch() {
        for millis in [-1500, -1, 0, 1, 1_700_000_000_042] {
            let time = Timestamp::from_unix_millis(millis);
            let distance = Duration::from_millis(millis.unsigned_abs());
            let system = if millis < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance };
            assert_eq!(Timestamp::from(system), time);
            assert_eq!(SystemTime::try_from(time), Ok(system));
        }
    }

    #[test]
    fn both_ends_of_the_range_convert_or_fail() {
        for time in [Timestamp::MAX, Timestamp::from_unix_millis(i64::MIN)] {
            match SystemTime::try_from(time) {
                Ok(system) => assert_eq!(Timestamp::from(system), time),
                Err(error) => assert_eq!(error, TimestampRangeError(())),
            }
        }
    }

    #[test]
    fn displays_seconds_with_three_decimals() {
        assert_eq!(Timestamp::from_unix_millis(1_700_000_000_042).to_string(), "1700000000.042");
    }
}
