//! Requests that other sites cause.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Uri};

use crate::challenge::AuthError;
use crate::error::ConfigError;

/// Which requests with an unsafe method are accepted: those that the service's own pages cause, and those of
/// origins that are listed.
///
/// Decided by headers that a page's script cannot set:
///
/// 1. a listed `Origin` is accepted;
/// 2. otherwise `Sec-Fetch-Site` must be `same-origin` or `none`, where it is sent (all browsers of today);
/// 3. otherwise the `Origin`, where one is sent, must be the public origin; where none is configured, its
///    host must be the request's;
/// 4. a request with neither header does not come from a browser and is accepted.
///
/// # Examples
///
/// ```
/// use http::{HeaderMap, HeaderValue, Uri};
/// use tower_jwt_auth::OriginPolicy;
///
/// let policy = OriginPolicy::same_origin().with_trusted_origin("https://app.example")?;
/// let mut headers = HeaderMap::new();
/// headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
/// headers.insert("origin", HeaderValue::from_static("https://evil.example"));
/// assert!(policy.check(&headers, &Uri::from_static("/")).is_err());
/// headers.insert("origin", HeaderValue::from_static("https://app.example"));
/// assert!(policy.check(&headers, &Uri::from_static("/")).is_ok());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct OriginPolicy {
    public: Option<Box<str>>,
    trusted: Vec<Box<str>>,
}

impl OriginPolicy {
    /// The service's own origin only.
    pub fn same_origin() -> Self {
        Self::default()
    }

    /// The origin at which browsers see the service. Set it behind a proxy that rewrites `Host`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Origin`] when it is not a scheme, host and port.
    pub fn with_public_origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        self.public = Some(normalize(origin)?);
        Ok(self)
    }

    /// Another origin whose pages may call.
    ///
    /// # Errors
    ///
    /// As [`with_public_origin`](Self::with_public_origin).
    pub fn with_trusted_origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        self.trusted.push(normalize(origin)?);
        Ok(self)
    }

    /// Accepts the origin `null`, too.
    ///
    /// Dangerous: any page of any site sends it from a sandboxed frame.
    pub fn dangerous_trust_null_origin(mut self) -> Self {
        self.trusted.push("null".into());
        self
    }

    /// Judges a request by its headers.
    ///
    /// # Errors
    ///
    /// [`AuthError::CrossSite`] when another site caused it.
    pub fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), AuthError> {
        let origin = single(headers, ORIGIN.as_str())?;
        let site = single(headers, "sec-fetch-site")?;
        let is = |known: &str| origin.is_some_and(|origin| origin == known.as_bytes());
        if self.trusted.iter().any(|known| is(known)) {
            return Ok(());
        }
        let accepted = match (site, origin) {
            (Some(site), _) => matches!(site, b"same-origin" | b"none"),
            (None, None) => true,
            (None, Some(origin)) => match &self.public {
                Some(public) => is(public),
                None => is_host(origin, headers, uri),
            },
        };
        if accepted { Ok(()) } else { Err(AuthError::CrossSite) }
    }
}

/// The value of a field that may be there once; no browser sends it twice.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h [u8]>, AuthError> {
    let mut values = headers.get_all(name).into_iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(HeaderValue::as_bytes)),
        (_, Some(_)) => Err(AuthError::CrossSite),
    }
}

/// Whether the origin's host and port are those that the request was sent to.
fn is_host(origin: &[u8], headers: &HeaderMap, uri: &Uri) -> bool {
    let authority = origin
        .strip_prefix(b"https://")
        .or_else(|| origin.strip_prefix(b"http://"))
        .filter(|authority| !authority.is_empty());
    let host = match uri.authority() {
        Some(authority) => Some(authority.as_str().as_bytes()),
        None => headers.get(HOST).map(HeaderValue::as_bytes),
    };
    matches!((authority, host), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
}

/// The form in which browsers send an origin (RFC 6454 §6.2): in lower case, without a default port.
fn normalize(origin: &str) -> Result<Box<str>, ConfigError> {
    let invalid = || ConfigError::Origin { origin: origin.to_owned() };
    let lower = origin.to_ascii_lowercase();
    let (scheme, default_port) = if lower.starts_with("https://") {
        ("https://", ":443")
    } else if lower.starts_with("http://") {
        ("http://", ":80")
    } else {
        return Err(invalid());
    };
    let authority = &lower[scheme.len()..];
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    let parsed: http::uri::Authority = authority.parse().map_err(|_| invalid())?;
    let port = authority.strip_prefix(parsed.host()).ok_or_else(invalid)?;
    let is_port = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(number) => number.parse::<u16>().is_ok_and(|n| n != 0 && n.to_string() == number),
    };
    if parsed.host().is_empty() || !is_port || !authority.is_ascii() {
        return Err(invalid());
    }
    Ok(format!("{scheme}{authority}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(policy: &OriginPolicy, fields: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        policy.check(&headers, &Uri::from_static("/auth/refresh")).is_ok()
    }

    #[test]
    fn requests_that_no_browser_sent_are_accepted() {
        assert!(accepts(&OriginPolicy::same_origin(), &[("host", "a.example")]));
    }

    #[test]
    fn the_fetch_site_decides_where_it_is_sent() {
        let policy = OriginPolicy::same_origin();
        for (site, accepted) in [
            ("same-origin", true),
            ("none", true),
            ("same-site", false),
            ("cross-site", false),
            ("Same-Origin", false),
            ("", false),
        ] {
            assert_eq!(accepts(&policy, &[("sec-fetch-site", site)]), accepted, "{site}");
        }
        // A sibling cannot pass by naming the host.
        let sibling = [
            ("sec-fetch-site", "same-site"),
            ("origin", "https://a.example"),
            ("host", "a.example"),
        ];
        assert!(!accepts(&policy, &sibling));
        let twice = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")];
        assert!(!accepts(&policy, &twice));
    }

    #[test]
    fn without_it_the_origin_must_be_the_host_where_no_public_origin_is_set() {
        let policy = OriginPolicy::same_origin();
        let from = |origin| accepts(&policy, &[("origin", origin), ("host", "a.example:8443")]);
        assert!(from("https://a.example:8443"));
        for bad in [
            "https://a.example",
            "https://b.example:8443",
            "null",
            "",
            "a.example:8443",
            "https://",
            "ftp://a.example:8443",
            "https://a.example:8443/",
        ] {
            assert!(!from(bad), "{bad}");
        }
        assert!(!accepts(&policy, &[("origin", "https://a.example")]), "no host to compare with");
    }

    #[test]
    fn a_public_origin_is_asked_for_instead_of_the_host() {
        let policy =
            OriginPolicy::same_origin().with_public_origin("HTTPS://App.example:443").unwrap();
        let from = |origin| accepts(&policy, &[("origin", origin), ("host", "10.0.0.7:8080")]);
        assert!(from("https://app.example"));
        assert!(!from("http://10.0.0.7:8080"));
        assert!(!from("http://app.example"));
    }

    #[test]
    fn listed_origins_are_accepted_from_anywhere_and_null_only_if_listed() {
        let policy =
            OriginPolicy::same_origin().with_trusted_origin("http://x.example:8080").unwrap();
        let cross = ("sec-fetch-site", "cross-site");
        assert!(accepts(&policy, &[("origin", "http://x.example:8080"), cross]));
        assert!(!accepts(&policy, &[("origin", "null"), cross]));
        let policy = policy.dangerous_trust_null_origin();
        assert!(accepts(&policy, &[("origin", "null"), cross]));
    }

    #[test]
    fn what_no_browser_would_send_is_refused_at_build_time() {
        for bad in [
            "",
            "app.example",
            "https://",
            "https://a/",
            "https://a/b",
            "https://a?b",
            "ftp://a",
            "https://u@a",
            "https://ä.example",
            "https://a b",
            "*",
            "null",
            "https://a:",
            "https://a:x",
            "https://a:99999",
            "https://a:080",
            "https://a:0",
        ] {
            let error = OriginPolicy::same_origin().with_trusted_origin(bad).unwrap_err();
            assert!(matches!(error, ConfigError::Origin { .. }), "{bad}");
        }
    }
}
