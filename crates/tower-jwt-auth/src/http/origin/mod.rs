//! Protection against requests that other sites cause (CSRF).

mod form;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Uri};

use crate::error::ConfigError;

/// The origins whose pages may cause requests with an unsafe method: the service's own origin, and trusted ones.
///
/// The policy decides by headers that scripts cannot set:
///
/// 1. A request with a trusted `Origin` is accepted.
/// 2. Otherwise, if `Sec-Fetch-Site` is present, which all current browsers send, it must be `same-origin` or `none`.
/// 3. Otherwise, if `Origin` is present, it must be the public origin. If no public origin is set, its scheme must be
///    `https`, and its host and port must be those of the request.
/// 4. A request with neither header does not come from a browser and is accepted.
///
/// On a loopback host (`localhost`, `*.localhost`, 127.0.0.0/8, `[::1]`) rule 3 also accepts `http`. On other hosts the
/// network can change a page that is served over `http`, so it is not accepted as the service's own. A development
/// server that browsers reach over `http` at an address of the local network needs its origin
/// [set](Self::with_public_origin).
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
    /// Creates a policy that accepts the service's own origin alone.
    pub fn same_origin() -> Self {
        Self::default()
    }

    /// Sets the origin at which browsers reach the service. It is required behind a proxy that rewrites `Host`, and for
    /// browsers that connect over `http` from another machine, such as to `http://192.168.1.5:3000` in development.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Origin`] if it does not consist of `https` or `http`, a host, and optionally a port.
    pub fn with_public_origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        self.public = Some(form::normalize_web(origin)?);
        Ok(self)
    }

    /// Adds a trusted origin: of the web, or of an application or a browser extension, such as `capacitor://localhost`
    /// or `chrome-extension://` and the id of the extension. The whole origin is compared: wildcards are not supported.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Origin`] if it does not consist of a scheme, a host, and optionally a port, or if
    /// browsers do not send its scheme in an origin, such as `file`.
    pub fn with_trusted_origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        self.trusted.push(form::normalize_any(origin)?);
        Ok(self)
    }

    /// Adds the origin `null` to the trusted ones.
    ///
    /// Dangerous: a page of any site can send it from a sandboxed frame.
    pub fn dangerous_trust_null_origin(mut self) -> Self {
        self.trusted.push("null".into());
        self
    }

    /// Checks a request by its headers and its URI, whatever its method.
    ///
    /// # Errors
    ///
    /// Returns [`CrossSite`] if another site caused the request.
    pub fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), CrossSite> {
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
        if accepted { Ok(()) } else { Err(CrossSite) }
    }
}

/// Returns an origin in the form that browsers send.
pub(crate) fn normalize(origin: &str) -> Result<Box<str>, ConfigError> {
    form::normalize_any(origin)
}

/// The error for a request that another site caused.
///
/// With the feature `axum` it implements `IntoResponse`: 403 `cross_site_request`.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use tower_jwt_auth::{AuthError, auth::CrossSite};
///
/// let response = AuthError::from(CrossSite).into_error_response();
/// assert_eq!(response.status(), StatusCode::FORBIDDEN);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another site caused the request")]
pub struct CrossSite;

/// Returns the value of a field that may occur once: no browser sends it twice.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h [u8]>, CrossSite> {
    let mut values = headers.get_all(name).into_iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(HeaderValue::as_bytes)),
        (_, Some(_)) => Err(CrossSite),
    }
}

/// Returns whether the origin is that of the host to which the request was sent: over https, or over http on loopback.
fn is_host(origin: &[u8], headers: &HeaderMap, uri: &Uri) -> bool {
    let Ok(origin) = std::str::from_utf8(origin) else { return false };
    let (authority, default_port) = match origin.split_once("://") {
        Some(("https", authority)) => (authority, ":443"),
        Some(("http", authority)) if form::is_loopback(authority) => (authority, ":80"),
        _ => return false,
    };
    let host = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST).and_then(|host| host.to_str().ok()),
    };
    // Browsers omit a default port, but a proxy may add it (RFC 9110 §4.2.3).
    let short = |authority: &str| authority.strip_suffix(default_port).unwrap_or(authority).len();
    let same =
        |host: &str| host[..short(host)].eq_ignore_ascii_case(&authority[..short(authority)]);
    !authority.is_empty() && host.is_some_and(same)
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
    fn requests_without_the_headers_of_browsers_are_accepted() {
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
        // A sibling site cannot pass with the origin of the host.
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
    fn a_public_origin_is_required_instead_of_the_host() {
        let policy =
            OriginPolicy::same_origin().with_public_origin("HTTPS://App.example:443").unwrap();
        let from = |origin| accepts(&policy, &[("origin", origin), ("host", "10.0.0.7:8080")]);
        assert!(from("https://app.example"));
        assert!(!from("http://10.0.0.7:8080"));
        assert!(!from("https://10.0.0.7:8080"));
        assert!(!from("http://app.example"));
    }

    #[test]
    fn trusted_origins_are_accepted_from_any_site_and_null_only_if_trusted() {
        let policy =
            OriginPolicy::same_origin().with_trusted_origin("http://x.example:8080").unwrap();
        let cross = ("sec-fetch-site", "cross-site");
        assert!(accepts(&policy, &[("origin", "http://x.example:8080"), cross]));
        assert!(!accepts(&policy, &[("origin", "null"), cross]));
        let policy = policy.dangerous_trust_null_origin();
        assert!(accepts(&policy, &[("origin", "null"), cross]));
    }

    #[test]
    fn a_default_port_in_the_host_equals_an_absent_one() {
        let policy = OriginPolicy::same_origin();
        for (origin, host, accepted) in [
            ("https://a.example", "a.example:443", true),
            ("https://a.example:443", "a.example", true),
            ("https://a.example", "A.example", true),
            ("https://[2001:db8::443]", "[2001:db8::443]:443", true),
            ("http://localhost", "localhost:80", true),
            ("https://a.example", "a.example:80", false),
            ("https://a.example:8443", "a.example:443", false),
            ("http://localhost", "localhost:443", false),
            ("https://", ":443", false),
        ] {
            let fields = [("origin", origin), ("host", host)];
            assert_eq!(accepts(&policy, &fields), accepted, "{origin} {host}");
            // HTTP/2 has the host in the URI.
            let mut headers = HeaderMap::new();
            headers.insert("origin", HeaderValue::from_static(origin));
            if let Ok(uri) = format!("https://{host}/auth/refresh").parse() {
                assert_eq!(policy.check(&headers, &uri).is_ok(), accepted, "{origin} {host}");
            }
        }
    }

    #[test]
    fn a_page_over_http_is_the_services_own_on_loopback_alone() {
        let policy = OriginPolicy::same_origin();
        for (host, accepted) in [
            ("localhost:3000", true),
            ("shop.localhost:3000", true),
            ("127.0.0.1:3000", true),
            ("127.1.2.3", true),
            ("[::1]:3000", true),
            ("a.example", false),
            ("192.168.1.5:3000", false),
            ("localhost.a.example", false),
        ] {
            let fields = |scheme: &str| {
                let mut headers = HeaderMap::new();
                let origin = format!("{scheme}://{host}");
                headers.insert("origin", HeaderValue::from_str(&origin).unwrap());
                headers.insert("host", HeaderValue::from_static(host));
                headers
            };
            let check = |headers| policy.check(&headers, &Uri::from_static("/")).is_ok();
            assert_eq!(check(fields("http")), accepted, "{host}");
            assert!(check(fields("https")), "{host}");
        }
        let policy = policy.with_public_origin("http://192.168.1.5:3000").unwrap();
        let own = [("origin", "http://192.168.1.5:3000"), ("host", "192.168.1.5:3000")];
        assert!(accepts(&policy, &own));
        assert!(!accepts(&policy, &[("origin", "https://192.168.1.5:3000")]));
    }

    #[test]
    fn applications_and_extensions_are_trusted_exactly_as_given() {
        let listed =
            ["capacitor://localhost", "chrome-extension://abcdefghijklmnopabcdefghijklmnop"];
        let policy = listed.iter().try_fold(OriginPolicy::same_origin(), |policy, origin| {
            policy.with_trusted_origin(origin)
        });
        let policy = policy.unwrap();
        let cross = ("sec-fetch-site", "cross-site");
        for origin in listed {
            assert!(accepts(&policy, &[("origin", origin), cross]), "{origin}");
        }
        for origin in [
            "capacitor://localhost.a.example",
            "capacitor://localhost:1",
            "ionic://localhost",
            "http://localhost",
            "chrome-extension://ponmlkjihgfedcbaponmlkjihgfedcba",
        ] {
            assert!(!accepts(&policy, &[("origin", origin), cross]), "{origin}");
        }
        let host = [("origin", "ionic://localhost"), ("host", "localhost")];
        assert!(!accepts(&policy, &host), "a custom scheme is not an origin of the service");
    }

    #[test]
    fn origins_that_no_browser_sends_are_rejected_at_build_time() {
        for bad in ["https://*.a.example", "https://a/", "file:///a"] {
            let error = OriginPolicy::same_origin().with_trusted_origin(bad).unwrap_err();
            assert!(matches!(error, ConfigError::Origin { .. }), "{bad}");
        }
        let app = OriginPolicy::same_origin().with_public_origin("capacitor://localhost");
        assert!(matches!(app.unwrap_err(), ConfigError::Origin { .. }));
    }
}
