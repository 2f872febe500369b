use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue};

use crate::http::token_source::{TokenLocation, TokenSearch};

/// The headers that a response needs for the caches between service and client (RFC 9111 §3, §4.1).
///
/// Shared caches do not store the response to a request with `Authorization` (RFC 9111 §3.5). They do not know that a
/// cookie or a query parameter carries a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caching {
    /// Whether the response depends on a cookie.
    varies_by_cookie: bool,
    /// Whether the response is for the holder of the token alone.
    is_private: bool,
}

impl Caching {
    /// No additional headers.
    pub(super) const NONE: Self = Self { varies_by_cookie: false, is_private: false };

    /// Returns the headers for where the token was searched, and whether there were credentials.
    pub(super) fn of(search: &TokenSearch<'_>) -> Self {
        let is_present = !matches!(search.token, Ok(None));
        match search.location {
            TokenLocation::Header => Self::NONE,
            TokenLocation::Query => Self { varies_by_cookie: false, is_private: is_present },
            TokenLocation::Cookie => Self { varies_by_cookie: true, is_private: is_present },
        }
    }

    /// Adds the headers to those of the inner service, and removes none.
    pub(super) fn apply(self, headers: &mut HeaderMap) {
        if self.varies_by_cookie && !has_member(headers, VARY.as_str(), &["*", "cookie"]) {
            headers.append(VARY, HeaderValue::from_static("Cookie"));
        }
        // `public` and `s-maxage` are about shared caches: a service that sets them has decided. `max-age` alone is not,
        // and would allow shared caches to store the response.
        let decided = ["public", "s-maxage", "private", "no-store"];
        if self.is_private && !has_member(headers, CACHE_CONTROL.as_str(), &decided) {
            headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
        }
    }
}

/// Returns whether a field that is a list (RFC 9110 §5.6.1) contains one of these members, with or without an argument.
fn has_member(headers: &HeaderMap, field: &str, names: &[&str]) -> bool {
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
    use crate::http::token_source::UncheckedToken;

    const PRIVATE_BY_COOKIE: Caching = Caching { varies_by_cookie: true, is_private: true };

    fn applied(caching: Caching, inner: &[(&'static str, &'static str)]) -> (String, String) {
        let mut headers = HeaderMap::new();
        for (name, value) in inner {
            headers.append(*name, HeaderValue::from_static(value));
        }
        caching.apply(&mut headers);
        let all = |name| {
            let values = headers.get_all(name).into_iter().map(|value| value.to_str().unwrap());
            values.collect::<Vec<_>>().join(", ")
        };
        (all(VARY), all(CACHE_CONTROL))
    }

    #[test]
    fn vary_is_added_to_the_members_of_the_inner_service() {
        for (inner, outer) in [
            (&[][..], "Cookie"),
            (&[("vary", "Origin")], "Origin, Cookie"),
            (&[("vary", "Origin"), ("vary", "Accept")], "Origin, Accept, Cookie"),
            (&[("vary", "X-Cookie")], "X-Cookie, Cookie"),
            (&[("vary", "origin,cookie , accept")], "origin,cookie , accept"),
            (&[("vary", "Origin"), ("vary", "COOKIE")], "Origin, COOKIE"),
            (&[("vary", "*")], "*"),
        ] {
            assert_eq!(applied(PRIVATE_BY_COOKIE, inner).0, outer);
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
            assert_eq!(applied(PRIVATE_BY_COOKIE, &[("cache-control", inner)]).1, outer);
        }
        assert_eq!(applied(PRIVATE_BY_COOKIE, &[]).1, "private");
        let several = [("cache-control", "max-age=60"), ("cache-control", "public")];
        assert_eq!(applied(PRIVATE_BY_COOKIE, &several).1, "max-age=60, public");
    }

    #[test]
    fn headers_follow_from_where_the_token_was_searched() {
        let search = |location, token| Caching::of(&TokenSearch { location, token });
        let nothing = || Ok(None);
        let token = || UncheckedToken::new(b"t", 1).unwrap();
        for (caching, vary, cache_control) in [
            (search(TokenLocation::Header, nothing()), "", ""),
            (search(TokenLocation::Header, Ok(Some(token()))), "", ""),
            (search(TokenLocation::Query, nothing()), "", ""),
            (search(TokenLocation::Query, Ok(Some(token()))), "", "private"),
            (search(TokenLocation::Cookie, nothing()), "Cookie", ""),
            (search(TokenLocation::Cookie, Ok(Some(token()))), "Cookie", "private"),
            (
                search(TokenLocation::Cookie, Err(crate::error::RequestError::SeveralTokens)),
                "Cookie",
                "private",
            ),
        ] {
            assert_eq!(applied(caching, &[]), (vary.to_owned(), cache_control.to_owned()));
        }
    }
}
