//! The location of the access token in a request (RFC 6750 §2).

use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};

use crate::error::{ConfigError, RequestError};
use crate::http::cookies;

/// The locations of the access token in a request: the `Authorization` header, and optionally a cookie or a query
/// parameter (RFC 6750 §2).
///
/// Locations that are not enabled are ignored. A token in the header takes precedence over one in a cookie. A request
/// with a token in both the header and the query is rejected (RFC 6750 §2).
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::TokenSource;
///
/// let source = TokenSource::authorization_header().or_cookie("__Host-access_token")?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TokenSource {
    cookie: Option<Box<str>>,
    query: bool,
}

/// The location at which the search for a token ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenLocation {
    /// The `Authorization` header, which the client's code sets.
    Header,
    /// The query parameter, which the client's code sets.
    Query,
    /// The cookie, which a browser sends whichever site causes the request.
    Cookie,
}

/// The result of the search for a token: the token, or none, or an error, and its location. Without a token it is the
/// last location searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenSearch<'r> {
    pub(crate) location: TokenLocation,
    pub(crate) token: Result<Option<UncheckedToken<'r>>, RequestError>,
}

/// A token whose characters have not been checked. It is not longer than the maximum.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct UncheckedToken<'r>(&'r [u8]);

impl<'r> UncheckedToken<'r> {
    pub(crate) fn new(bytes: &'r [u8], max: usize) -> Result<Self, RequestError> {
        if bytes.len() > max { Err(RequestError::TooLong) } else { Ok(Self(bytes)) }
    }

    pub(crate) fn as_bytes(self) -> &'r [u8] {
        self.0
    }

    /// Checks the characters: the token is not empty, and contains no separators of fields and cookies.
    pub(crate) fn check(self) -> Result<&'r str, RequestError> {
        // Without a branch for each byte, so that the compiler checks many at a time.
        let is_invalid = |byte: u8| {
            u8::from(!byte.is_ascii_graphic())
                | u8::from(byte == b',')
                | u8::from(byte == b';')
                | u8::from(byte == b'"')
        };
        if self.0.is_empty() || self.0.iter().fold(0, |found, byte| found | is_invalid(*byte)) != 0
        {
            return Err(RequestError::Malformed);
        }
        std::str::from_utf8(self.0).map_err(|_| RequestError::Malformed)
    }
}

impl fmt::Debug for UncheckedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UncheckedToken")
    }
}

impl TokenSource {
    /// Accepts `Authorization: Bearer …` alone (RFC 6750 §2.1).
    pub fn authorization_header() -> Self {
        Self::default()
    }

    /// Also accepts a token in the cookie `name` if the header has no bearer token.
    ///
    /// Browsers send cookies with requests that other sites cause. Requests with an unsafe method, and WebSocket
    /// upgrades, are therefore rejected unless they come from the same origin or a [trusted](crate::OriginPolicy) one.
    ///
    /// Shared caches do not store the response to a request with `Authorization` (RFC 9111 §3.5), but do not know that
    /// a cookie carries a token. If cookies were searched, the response carries `Vary: Cookie`. If one contained a
    /// token, it also carries `Cache-Control: private`, unless the inner service sets `public`, `s-maxage`, `private`
    /// or `no-store`.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Name`] if `name` is not a valid name of a cookie (RFC 6265 §4.1.1).
    pub fn or_cookie(mut self, name: &str) -> Result<Self, ConfigError> {
        if !cookies::is_name(name) {
            let hint = "give a token as defined in RFC 9110 §5.6.2";
            return Err(ConfigError::Name { what: "name of the cookie", hint });
        }
        self.cookie = Some(name.into());
        Ok(self)
    }

    /// Also accepts a token in the query parameter `access_token` (RFC 6750 §2.3).
    ///
    /// Dangerous: URLs are recorded in logs, browser histories and `Referer` headers, and the token with them.
    /// Responses to such requests carry `Cache-Control: private`, unless the inner service sets `public`, `s-maxage`,
    /// `private` or `no-store`.
    pub fn dangerous_or_query(mut self) -> Self {
        self.query = true;
        self
    }

    /// Returns the methods of RFC 6750 §2 that are enabled, by their names in metadata (RFC 9728 §2).
    pub(crate) fn bearer_methods(&self) -> impl Iterator<Item = &'static str> {
        [Some("header"), self.query.then_some("query")].into_iter().flatten()
    }

    /// Searches for the token, without decoding it. `max` is its maximum length in bytes.
    pub(crate) fn find<'r>(
        &self,
        headers: &'r HeaderMap,
        uri: &'r Uri,
        max: usize,
    ) -> TokenSearch<'r> {
        let from_header = in_header(headers, max);
        let from_query = if self.query { parameter(uri, max) } else { Ok(None) };
        match (from_header, from_query) {
            (Err(error), _) => TokenSearch { location: TokenLocation::Header, token: Err(error) },
            (_, Err(error)) => TokenSearch { location: TokenLocation::Query, token: Err(error) },
            (Ok(Some(_)), Ok(Some(_))) => TokenSearch {
                location: TokenLocation::Query,
                token: Err(RequestError::SeveralTokens),
            },
            (token @ Ok(Some(_)), Ok(None)) => {
                TokenSearch { location: TokenLocation::Header, token }
            }
            (Ok(None), token @ Ok(Some(_))) => {
                TokenSearch { location: TokenLocation::Query, token }
            }
            (Ok(None), Ok(None)) => match self.cookie.as_deref() {
                Some(name) => TokenSearch {
                    location: TokenLocation::Cookie,
                    token: in_cookie(headers, name, max),
                },
                None => TokenSearch { location: TokenLocation::Header, token: Ok(None) },
            },
        }
    }
}

fn in_header(headers: &HeaderMap, max: usize) -> Result<Option<UncheckedToken<'_>>, RequestError> {
    let mut fields = headers.get_all(AUTHORIZATION).into_iter();
    match (fields.next(), fields.next()) {
        (None, _) => Ok(None),
        (Some(field), None) => bearer(field.as_bytes(), max),
        (Some(_), Some(_)) => Err(RequestError::SeveralTokens),
    }
}

fn in_cookie<'h>(
    headers: &'h HeaderMap,
    name: &str,
    max: usize,
) -> Result<Option<UncheckedToken<'h>>, RequestError> {
    // Some clients send a cookie that was cleared with an empty value.
    let mut values = cookies::values(headers, name).filter(|value| !value.is_empty());
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => UncheckedToken::new(value, max).map(Some),
        (Some(_), Some(_)) => Err(RequestError::SeveralTokens),
    }
}

/// Returns the token of an `Authorization` field, or `None` for another scheme (RFC 6750 §2.1).
fn bearer(field: &[u8], max: usize) -> Result<Option<UncheckedToken<'_>>, RequestError> {
    const SCHEME: &[u8] = b"Bearer";
    let end = field.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(field.len());
    let (scheme, rest) = field.split_at(end);
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Ok(None);
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    UncheckedToken::new(&rest[spaces..], max).map(Some)
}

/// Returns the token in the query parameter, which may occur once.
fn parameter(uri: &Uri, max: usize) -> Result<Option<UncheckedToken<'_>>, RequestError> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut values = pairs.filter_map(|pair| pair.strip_prefix("access_token="));
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => UncheckedToken::new(value.as_bytes(), max).map(Some),
        (Some(_), Some(_)) => Err(RequestError::SeveralTokens),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::COOKIE;

    use super::*;
    use crate::jws::MAX_TOKEN_LENGTH;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn find<'r>(source: &TokenSource, headers: &'r HeaderMap, uri: &'r Uri) -> TokenSearch<'r> {
        source.find(headers, uri, MAX_TOKEN_LENGTH)
    }

    fn in_header(value: &str) -> Result<Option<String>, RequestError> {
        let (headers, uri) = (headers(&[("authorization", value)]), Uri::from_static("/"));
        let search = find(&TokenSource::authorization_header(), &headers, &uri);
        assert_eq!(search.location, TokenLocation::Header);
        let token = search.token?.map(UncheckedToken::check).transpose()?;
        Ok(token.map(str::to_owned))
    }

    #[test]
    fn the_scheme_is_matched_without_case() {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            assert_eq!(in_header(&format!("{scheme} a.b.c")), Ok(Some("a.b.c".into())));
        }
        assert_eq!(in_header("Bearer   a.b.c"), Ok(Some("a.b.c".into())), "1*SP");
    }

    #[test]
    fn other_schemes_do_not_count_as_credentials() {
        for other in ["Basic x", "Digest a=b", "x", "", "Bearerx y", "Bearer-x y", "Bear er"] {
            assert_eq!(in_header(other), Ok(None), "{other}");
        }
    }

    #[test]
    fn only_a_single_token_is_well_formed() {
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer  ",
            "Bearer a b",
            "Bearer a,b",
            "Bearer a, Basic b",
            "Bearer a ",
            "Bearer\ta",
            "Bearer a\t",
            "Bearer \"a\"",
            "Bearer a;",
            "Bearer é",
            "bearer ,",
        ] {
            assert_eq!(in_header(bad), Err(RequestError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn long_tokens_are_rejected_unread() {
        let longest = "a".repeat(MAX_TOKEN_LENGTH);
        assert_eq!(in_header(&format!("Bearer {longest}")), Ok(Some(longest.clone())));
        assert_eq!(in_header(&format!("Bearer {longest}a")), Err(RequestError::TooLong));
    }

    #[test]
    fn two_fields_are_rejected_whatever_their_schemes() {
        let uri = Uri::from_static("/");
        for second in ["Bearer a", "Basic x"] {
            let headers = headers(&[("authorization", "Bearer a"), ("authorization", second)]);
            assert_eq!(
                find(&TokenSource::default(), &headers, &uri),
                several(TokenLocation::Header)
            );
        }
    }

    fn nothing(location: TokenLocation) -> TokenSearch<'static> {
        TokenSearch { location, token: Ok(None) }
    }

    fn found(location: TokenLocation, token: &str) -> TokenSearch<'_> {
        TokenSearch { location, token: Ok(Some(UncheckedToken(token.as_bytes()))) }
    }

    fn several(location: TokenLocation) -> TokenSearch<'static> {
        TokenSearch { location, token: Err(RequestError::SeveralTokens) }
    }

    #[test]
    fn a_query_parameter_is_searched_only_if_enabled() {
        let (none, uri) = (HeaderMap::new(), Uri::from_static("/x?a=b&access_token=q&c"));
        let source = TokenSource::authorization_header();
        assert_eq!(find(&source, &none, &uri), nothing(TokenLocation::Header));
        let source = source.dangerous_or_query();
        assert_eq!(find(&source, &none, &uri), found(TokenLocation::Query, "q"));
        let both = headers(&[("authorization", "Bearer h")]);
        assert_eq!(find(&source, &both, &uri), several(TokenLocation::Query));
        let twice = Uri::from_static("/?access_token=q&access_token=r");
        assert_eq!(find(&source, &none, &twice), several(TokenLocation::Query));
        let other = Uri::from_static("/?xaccess_token=q&access_tokens=r");
        assert_eq!(find(&source, &none, &other), nothing(TokenLocation::Header));
    }

    #[test]
    fn a_cookie_is_searched_only_if_enabled_and_the_header_takes_precedence() {
        let uri = Uri::from_static("/");
        let cookie = headers(&[("cookie", "x=1; t=c")]);
        let source = TokenSource::authorization_header();
        assert_eq!(find(&source, &cookie, &uri), nothing(TokenLocation::Header));
        let source = source.or_cookie("t").unwrap();
        assert_eq!(find(&source, &cookie, &uri), found(TokenLocation::Cookie, "c"));
        let both = headers(&[("authorization", "bearer h"), ("cookie", "t=c")]);
        assert_eq!(find(&source, &both, &uri), found(TokenLocation::Header, "h"));
        let basic = headers(&[("authorization", "Basic h"), ("cookie", "t=c")]);
        assert_eq!(find(&source, &basic, &uri), found(TokenLocation::Cookie, "c"));
        let mut twice = headers(&[("cookie", "t=c")]);
        twice.append(COOKIE, HeaderValue::from_static("t=d"));
        assert_eq!(find(&source, &twice, &uri), several(TokenLocation::Cookie));
        let cleared = headers(&[("cookie", "t=; x=1")]);
        assert_eq!(find(&source, &cleared, &uri), nothing(TokenLocation::Cookie));
        for bad in ["", "a b", "a;b", "a=b", "é"] {
            assert!(TokenSource::default().or_cookie(bad).is_err(), "{bad}");
        }
    }
}
