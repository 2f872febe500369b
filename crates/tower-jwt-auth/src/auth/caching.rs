use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue};

use crate::http::token_source::{Place, Sought};

/// What the caches on the way have to know of a response (RFC 9111 §3, §4.1).
///
/// They do not share the response to a request with `Authorization` (RFC 9111 §3.5). Of a cookie or a query
/// parameter they know nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caching {
    /// Another cookie, another response.
    by_cookie: bool,
    /// It is for the holder of the token.
    private: bool,
}

impl Caching {
    /// Nothing that they do not know.
    pub(super) const UNTOUCHED: Self = Self { by_cookie: false, private: false };

    /// By where the token was sought, and whether something was there.
    pub(super) fn of(sought: &Sought<'_>) -> Self {
        let is_there = !matches!(sought.token, Ok(None));
        match sought.place {
            Place::Header => Self::UNTOUCHED,
            Place::Query => Self { by_cookie: false, private: is_there },
            Place::Cookie => Self { by_cookie: true, private: is_there },
        }
    }

    /// Adds to what the service inside says, and takes nothing back.
    pub(super) fn mark(self, headers: &mut HeaderMap) {
        if self.by_cookie && !says(headers, VARY.as_str(), &["*", "cookie"]) {
            headers.append(VARY, HeaderValue::from_static("Cookie"));
        }
        // `public` and `s-maxage` speak of shared caches: whoever writes them has decided. `max-age` alone
        // has not, and would let shared caches store.
        let decided = ["public", "s-maxage", "private", "no-store"];
        if self.private && !says(headers, CACHE_CONTROL.as_str(), &decided) {
            headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
        }
    }
}

/// Whether one of these stands in the list that this field is (RFC 9110 §5.6.1), with or without an argument.
fn says(headers: &HeaderMap, field: &str, names: &[&str]) -> bool {
    let mut members =
        headers.get_all(field).into_iter().flat_map(|v| v.as_bytes().split(|byte| *byte == b','));
    members.any(|member| {
        let name = member.split(|byte| *byte == b'=').next().unwrap_or(member).trim_ascii();
        names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOR_ONE: Caching = Caching { by_cookie: true, private: true };

    fn marked(caching: Caching, inner: &[(&'static str, &'static str)]) -> (String, String) {
        let mut headers = HeaderMap::new();
        for (name, value) in inner {
            headers.append(*name, HeaderValue::from_static(value));
        }
        caching.mark(&mut headers);
        let all = |name| {
            let values = headers.get_all(name).into_iter().map(|value| value.to_str().unwrap());
            values.collect::<Vec<_>>().join(", ")
        };
        (all(VARY), all(CACHE_CONTROL))
    }

    #[test]
    fn vary_is_added_to_what_is_there() {
        for (inner, outer) in [
            (&[][..], "Cookie"),
            (&[("vary", "Origin")], "Origin, Cookie"),
            (&[("vary", "Origin"), ("vary", "Accept")], "Origin, Accept, Cookie"),
            (&[("vary", "X-Cookie")], "X-Cookie, Cookie"),
            (&[("vary", "origin,cookie , accept")], "origin,cookie , accept"),
            (&[("vary", "Origin"), ("vary", "COOKIE")], "Origin, COOKIE"),
            (&[("vary", "*")], "*"),
        ] {
            assert_eq!(marked(FOR_ONE, inner).0, outer);
        }
    }

    #[test]
    fn private_is_added_unless_the_service_inside_has_decided() {
        for (inner, outer) in [
            ("max-age=60", "max-age=60, private"),
            ("no-cache", "no-cache, private"),
            ("max-age=0, must-revalidate", "max-age=0, must-revalidate, private"),
            ("", ", private"),
            ("x=public", "x=public, private"),
            ("public, max-age=60", "public, max-age=60"),
            ("max-age=60 , S-MaxAge=9", "max-age=60 , S-MaxAge=9"),
            ("private", "private"),
            ("Private=\"set-cookie\"", "Private=\"set-cookie\""),
            ("no-store", "no-store"),
        ] {
            assert_eq!(marked(FOR_ONE, &[("cache-control", inner)]).1, outer);
        }
        assert_eq!(marked(FOR_ONE, &[]).1, "private");
        let several = [("cache-control", "max-age=60"), ("cache-control", "public")];
        assert_eq!(marked(FOR_ONE, &several).1, "max-age=60, public");
    }

    #[test]
    fn only_what_was_sought_is_told() {
        let sought = |place, token| Caching::of(&Sought { place, token });
        let nothing = || Ok(None);
        for (caching, vary, cache_control) in [
            (sought(Place::Header, nothing()), "", ""),
            (sought(Place::Header, Ok(Some("t"))), "", ""),
            (sought(Place::Query, nothing()), "", ""),
            (sought(Place::Query, Ok(Some("t"))), "", "private"),
            (sought(Place::Cookie, nothing()), "Cookie", ""),
            (sought(Place::Cookie, Ok(Some("t"))), "Cookie", "private"),
            (
                sought(Place::Cookie, Err(crate::error::RequestError::SeveralTokens)),
                "Cookie",
                "private",
            ),
        ] {
            assert_eq!(marked(caching, &[]), (vary.to_owned(), cache_control.to_owned()));
        }
    }
}
