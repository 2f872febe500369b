//! The time for which a response may be used without another request (RFC 9111 §4.2).

use std::time::{Duration, SystemTime};

use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES};
use http::{HeaderMap, HeaderName};

/// The largest number of seconds that is read; larger ones count as this one (RFC 9111 §1.2.2).
const MAX_SECONDS: u64 = 1 << 31;

/// Returns for how long a response that arrives now stays fresh, or `None` if it does not say.
///
/// Unreadable values count as stale, as RFC 9111 §4.2.1 recommends.
pub(super) fn remaining(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let age = text(headers, &AGE).and_then(seconds).unwrap_or_default();
    Some(lifetime(headers, now)?.saturating_sub(age))
}

fn lifetime(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let mut max_age = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if name.eq_ignore_ascii_case("max-age") && max_age.is_none() {
                max_age = Some(seconds(argument.trim().trim_matches('"')).unwrap_or_default());
            }
        }
    }
    if max_age.is_some() {
        return max_age;
    }
    let expires = date(text(headers, &EXPIRES)?);
    let sent = text(headers, &DATE).and_then(date).unwrap_or(now);
    Some(expires.and_then(|expires| expires.duration_since(sent).ok()).unwrap_or_default())
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    // The first one counts, as for `max-age`.
    Some(headers.get(name)?.to_str().unwrap_or_default().trim())
}

fn seconds(text: &str) -> Option<Duration> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(text.parse().map_or(MAX_SECONDS, |number| MAX_SECONDS.min(number))))
}

fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Thu, 26 Nov 2026 12:00:00 GMT.
    const NOW: u64 = 1_795_694_400;

    fn fresh(headers: &[(HeaderName, &str)]) -> Option<u64> {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        let headers = headers.iter().map(|(name, text)| (name.clone(), value(text))).collect();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        remaining(&headers, now).map(|fresh| fresh.as_secs())
    }

    #[test]
    fn cache_control_is_read() {
        for (value, expected) in [
            ("max-age=300", Some(300)),
            ("public, max-age=300, must-revalidate", Some(300)),
            ("PUBLIC,Max-Age=300", Some(300)),
            ("max-age=\"300\"", Some(300)),
            ("max-age=99999999999999999999", Some(MAX_SECONDS)),
            ("max-age=4294967296", Some(MAX_SECONDS)),
            ("max-age=300, max-age=900", Some(300)),
            // Stale: they cannot be read.
            ("max-age", Some(0)),
            ("max-age=", Some(0)),
            ("max-age=-1", Some(0)),
            ("max-age=+1", Some(0)),
            ("max-age=5m", Some(0)),
            ("no-store", Some(0)),
            ("max-age=300, no-cache", Some(0)),
            // Says nothing that concerns a cache of one client.
            ("public", None),
            ("s-maxage=300", None),
            ("x-max-age=300", None),
        ] {
            assert_eq!(fresh(&[(CACHE_CONTROL, value)]), expected, "{value}");
        }
        assert_eq!(fresh(&[]), None);
        let two = [(CACHE_CONTROL, "public"), (CACHE_CONTROL, "max-age=300")];
        assert_eq!(fresh(&two), Some(300), "of two lines");
    }

    #[test]
    fn expires_counts_where_there_is_no_max_age() {
        let in_5_minutes = (EXPIRES, "Thu, 26 Nov 2026 12:05:00 GMT");
        assert_eq!(fresh(std::slice::from_ref(&in_5_minutes)), Some(300));
        let sent_2_minutes_ago = (DATE, "Thu, 26 Nov 2026 11:58:00 GMT");
        assert_eq!(
            fresh(&[in_5_minutes.clone(), sent_2_minutes_ago]),
            Some(420),
            "by the provider's clock"
        );
        assert_eq!(fresh(&[in_5_minutes, (CACHE_CONTROL, "max-age=60")]), Some(60));
        assert_eq!(fresh(&[(EXPIRES, "0")]), Some(0));
        assert_eq!(fresh(&[(EXPIRES, "Thu, 26 Nov 2026 11:00:00 GMT")]), Some(0));
    }

    #[test]
    fn age_is_subtracted() {
        assert_eq!(fresh(&[(CACHE_CONTROL, "max-age=300"), (AGE, "100")]), Some(200));
        assert_eq!(fresh(&[(CACHE_CONTROL, "max-age=300"), (AGE, "400")]), Some(0));
        assert_eq!(fresh(&[(CACHE_CONTROL, "max-age=300"), (AGE, "old")]), Some(300));
    }
}
