//! Where the access token stands in a request (RFC 6750 §2).

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};

use crate::error::{ConfigError, RequestError};
use crate::http::cookies;
use crate::jws::MAX_TOKEN_LENGTH;

/// Where to look for the access token: the `Authorization` header, and what is turned on beside it.
///
/// What is not turned on is not looked at. A token in the header wins over one in a cookie; a header and a
/// query parameter at once are refused (RFC 6750 §2).
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

/// Where the search ended: with a token, or with what is no token, or in the last place that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Put there by the client's code.
    Header,
    /// Put there by the client's code.
    Query,
    /// Sent along by the browser whoever caused the request.
    Cookie,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sought<'r> {
    pub(crate) place: Place,
    pub(crate) token: Result<Option<&'r str>, RequestError>,
}

impl TokenSource {
    /// Only `Authorization: Bearer …`.
    pub fn authorization_header() -> Self {
        Self::default()
    }

    /// A cookie too, where the header has no bearer token.
    ///
    /// Browsers send cookies with requests that other sites cause. Requests with an unsafe method, and
    /// WebSocket upgrades, are therefore refused unless they come from the same origin or a listed one.
    ///
    /// Caches keep the response to a request with `Authorization` to themselves (RFC 9111 §3.5), but know
    /// nothing of cookies. Where cookies were looked at, the response carries `Vary: Cookie`; where a token was
    /// in one, `Cache-Control: private` too, unless the service inside says `public`, `s-maxage`, `private` or
    /// `no-store`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Name`] when this is no name for a cookie.
    pub fn or_cookie(mut self, name: &str) -> Result<Self, ConfigError> {
        if !cookies::is_name(name) {
            let hint = "give a token as of RFC 9110 §5.6.2";
            return Err(ConfigError::Name { what: "cookie's name", hint });
        }
        self.cookie = Some(name.into());
        Ok(self)
    }

    /// The query parameter `access_token` too (RFC 6750 §2.3).
    ///
    /// Dangerous: addresses end up in logs, histories and `Referer` headers, and the token with them. Responses to
    /// such requests carry `Cache-Control: private`, unless the service inside decides otherwise.
    pub fn dangerous_or_query(mut self) -> Self {
        self.query = true;
        self
    }

    /// Finds the token, without decoding anything of it.
    pub(crate) fn find<'r>(&self, headers: &'r HeaderMap, uri: &'r Uri) -> Sought<'r> {
        let from_header = in_header(headers);
        let from_query = if self.query { parameter(uri) } else { Ok(None) };
        match (from_header, from_query) {
            (Err(error), _) => Sought { place: Place::Header, token: Err(error) },
            (_, Err(error)) => Sought { place: Place::Query, token: Err(error) },
            (Ok(Some(_)), Ok(Some(_))) => {
                Sought { place: Place::Query, token: Err(RequestError::SeveralTokens) }
            }
            (token @ Ok(Some(_)), Ok(None)) => Sought { place: Place::Header, token },
            (Ok(None), token @ Ok(Some(_))) => Sought { place: Place::Query, token },
            (Ok(None), Ok(None)) => match self.cookie.as_deref() {
                Some(name) => Sought { place: Place::Cookie, token: in_cookie(headers, name) },
                None => Sought { place: Place::Header, token: Ok(None) },
            },
        }
    }
}

fn in_header(headers: &HeaderMap) -> Result<Option<&str>, RequestError> {
    let mut fields = headers.get_all(AUTHORIZATION).into_iter();
    match (fields.next(), fields.next()) {
        (None, _) => Ok(None),
        (Some(field), None) => bearer(field.as_bytes()),
        (Some(_), Some(_)) => Err(RequestError::SeveralTokens),
    }
}

fn in_cookie<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, RequestError> {
    // An empty one is what a cookie that was cleared leaves in some clients.
    let mut values = cookies::values(headers, name).filter(|value| !value.is_empty());
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => token(value).map(Some),
        (Some(_), Some(_)) => Err(RequestError::SeveralTokens),
    }
}

/// The token of an `Authorization` field; none when it is of another scheme (RFC 6750 §2.1).
fn bearer(field: &[u8]) -> Result<Option<&str>, RequestError> {
    const SCHEME: &[u8] = b"Bearer";
    let end = field.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(field.len());
    let (scheme, rest) = field.split_at(end);
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Ok(None);
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    token(&rest[spaces..]).map(Some)
}

/// The value of the query parameter; there may be one at most.
fn parameter(uri: &Uri) -> Result<Option<&str>, RequestError> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut values = pairs.filter_map(|pair| pair.strip_prefix("access_token="));
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => token(value.as_bytes()).map(Some),
        (Some(_), Some(_)) => Err(RequestError::SeveralTokens),
    }
}

/// Something that may be a token: not empty, not too long, without what separates one thing from another.
fn token(bytes: &[u8]) -> Result<&str, RequestError> {
    if bytes.len() > MAX_TOKEN_LENGTH {
        return Err(RequestError::TooLong);
    }
    let is_part = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b';' | b'"');
    if bytes.is_empty() || !bytes.iter().all(is_part) {
        return Err(RequestError::Malformed);
    }
    std::str::from_utf8(bytes).map_err(|_| RequestError::Malformed)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::COOKIE;

    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn in_header(value: &str) -> Result<Option<String>, RequestError> {
        let (headers, uri) = (headers(&[("authorization", value)]), Uri::from_static("/"));
        let sought = TokenSource::authorization_header().find(&headers, &uri);
        assert_eq!(sought.place, Place::Header);
        sought.token.map(|token| token.map(str::to_owned))
    }

    #[test]
    fn the_scheme_is_matched_without_case() {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            assert_eq!(in_header(&format!("{scheme} a.b.c")), Ok(Some("a.b.c".into())));
        }
        assert_eq!(in_header("Bearer   a.b.c"), Ok(Some("a.b.c".into())), "1*SP");
    }

    #[test]
    fn other_schemes_are_no_credentials() {
        for other in ["Basic x", "Digest a=b", "x", "", "Bearerx y", "Bearer-x y", "Bear er"] {
            assert_eq!(in_header(other), Ok(None), "{other}");
        }
    }

    #[test]
    fn what_is_not_one_token_is_malformed() {
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
    fn long_tokens_are_refused_unread() {
        let longest = "a".repeat(MAX_TOKEN_LENGTH);
        assert_eq!(in_header(&format!("Bearer {longest}")), Ok(Some(longest.clone())));
        assert_eq!(in_header(&format!("Bearer {longest}a")), Err(RequestError::TooLong));
    }

    #[test]
    fn two_fields_are_refused_whatever_they_say() {
        let uri = Uri::from_static("/");
        for second in ["Bearer a", "Basic x"] {
            let headers = headers(&[("authorization", "Bearer a"), ("authorization", second)]);
            assert_eq!(TokenSource::default().find(&headers, &uri), several(Place::Header));
        }
    }

    fn nothing(place: Place) -> Sought<'static> {
        Sought { place, token: Ok(None) }
    }

    fn found(place: Place, token: &str) -> Sought<'_> {
        Sought { place, token: Ok(Some(token)) }
    }

    fn several(place: Place) -> Sought<'static> {
        Sought { place, token: Err(RequestError::SeveralTokens) }
    }

    #[test]
    fn a_query_parameter_is_looked_at_only_where_turned_on() {
        let (none, uri) = (HeaderMap::new(), Uri::from_static("/x?a=b&access_token=q&c"));
        let source = TokenSource::authorization_header();
        assert_eq!(source.find(&none, &uri), nothing(Place::Header));
        let source = source.dangerous_or_query();
        assert_eq!(source.find(&none, &uri), found(Place::Query, "q"));
        let both = headers(&[("authorization", "Bearer h")]);
        assert_eq!(source.find(&both, &uri), several(Place::Query));
        let twice = Uri::from_static("/?access_token=q&access_token=r");
        assert_eq!(source.find(&none, &twice), several(Place::Query));
        let other = Uri::from_static("/?xaccess_token=q&access_tokens=r");
        assert_eq!(source.find(&none, &other), nothing(Place::Header));
    }

    #[test]
    fn a_cookie_is_looked_at_only_where_turned_on_and_yields_to_the_header() {
        let uri = Uri::from_static("/");
        let cookie = headers(&[("cookie", "x=1; t=c")]);
        let source = TokenSource::authorization_header();
        assert_eq!(source.find(&cookie, &uri), nothing(Place::Header));
        let source = source.or_cookie("t").unwrap();
        assert_eq!(source.find(&cookie, &uri), found(Place::Cookie, "c"));
        let both = headers(&[("authorization", "bearer h"), ("cookie", "t=c")]);
        assert_eq!(source.find(&both, &uri), found(Place::Header, "h"));
        let basic = headers(&[("authorization", "Basic h"), ("cookie", "t=c")]);
        assert_eq!(source.find(&basic, &uri), found(Place::Cookie, "c"));
        let mut twice = headers(&[("cookie", "t=c")]);
        twice.append(COOKIE, HeaderValue::from_static("t=d"));
        assert_eq!(source.find(&twice, &uri), several(Place::Cookie));
        let cleared = headers(&[("cookie", "t=; x=1")]);
        assert_eq!(source.find(&cleared, &uri), nothing(Place::Cookie));
        for bad in ["", "a b", "a;b", "a=b", "é"] {
            assert!(TokenSource::default().or_cookie(bad).is_err(), "{bad}");
        }
    }
}
