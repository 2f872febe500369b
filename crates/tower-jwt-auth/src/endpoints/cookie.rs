use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::error::ConfigError;
use crate::http::cookies;
use crate::refresh_token::RefreshToken;

/// The `SameSite` attribute of a cookie (RFC 6265bis §5.6.7): with which requests from other sites a browser sends it.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::RefreshCookie;
/// use tower_jwt_auth::endpoints::SameSite;
///
/// // The pages and the service are on different sites.
/// let cookie = RefreshCookie::host().with_same_site(SameSite::None)?;
/// assert!(RefreshCookie::development().with_same_site(SameSite::None).is_err());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// The browser sends the cookie with no request from another site.
    Strict,
    /// The browser also sends the cookie when the user follows a link from another site.
    Lax,
    /// The browser sends the cookie with all requests, for pages on another site than the service. It requires
    /// `Secure`.
    None,
}

/// The cookie that carries the refresh token. It is `HttpOnly` and `Secure`. Its name, path and domain are checked when
/// it is built, so that browsers do not drop it.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::RefreshCookie;
/// use tower_jwt_auth::endpoints::SameSite;
///
/// let cookie = RefreshCookie::host();
/// assert_eq!(cookie.name(), "__Host-refresh_token");
/// let scoped = RefreshCookie::secure("/auth")?.with_same_site(SameSite::Lax)?;
/// assert!(RefreshCookie::host().with_domain("shop.example").is_err());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RefreshCookie {
    name: String,
    path: String,
    domain: Option<String>,
    same_site: SameSite,
    secure: bool,
    former_scopes: Vec<CookieScope>,
}

/// The path and the domain of a cookie. Browsers distinguish cookies of one name by them (RFC 6265 §5.3).
#[derive(Clone, Debug)]
struct CookieScope {
    path: String,
    domain: Option<String>,
}

impl CookieScope {
    fn matches(&self, path: &str, domain: Option<&str>) -> bool {
        // Browsers ignore the case of a domain (RFC 6265 §5.2.3).
        let lowercase = str::to_ascii_lowercase;
        self.path == path && self.domain.as_deref().map(lowercase) == domain.map(lowercase)
    }
}

impl RefreshCookie {
    /// Creates the cookie `__Host-refresh_token` for this host alone. Hosts of sibling domains cannot set it.
    ///
    /// Chromium and curl also accept it on `http://localhost`.
    pub fn host() -> Self {
        Self {
            name: "__Host-refresh_token".to_owned(),
            path: "/".to_owned(),
            domain: None,
            same_site: SameSite::Strict,
            secure: true,
            former_scopes: Vec::new(),
        }
    }

    /// Creates the cookie `__Secure-refresh_token`, which browsers send only to this path and below it (RFC 6265
    /// §5.1.4).
    ///
    /// The login, the refresh and the logout must be below the path.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Cookie`] if the path is malformed.
    pub fn secure(path: &str) -> Result<Self, ConfigError> {
        Self { name: "__Secure-refresh_token".to_owned(), path: path.to_owned(), ..Self::host() }
            .validate()
    }

    /// Creates the cookie `refresh_token` without `Secure`, for development over plain http with browsers that require
    /// https for `Secure` cookies even on `localhost`, as Safari does. Anyone on the network can read it.
    pub fn development() -> Self {
        Self { name: "refresh_token".to_owned(), secure: false, ..Self::host() }
    }

    /// Sets the name. Browsers impose conditions on a name with the prefix `__Host-` or `__Secure-` (RFC 6265bis
    /// §4.1.3).
    ///
    /// # Errors
    ///
    /// [`ConfigError::Cookie`] if the name is malformed, has more than 64 characters, or has a prefix whose conditions
    /// are not met.
    pub fn with_name(mut self, name: &str) -> Result<Self, ConfigError> {
        name.clone_into(&mut self.name);
        self.validate()
    }

    /// Sets the attribute `SameSite`. The default is [`SameSite::Strict`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::Cookie`] for [`SameSite::None`] without `Secure`.
    pub fn with_same_site(mut self, same_site: SameSite) -> Result<Self, ConfigError> {
        self.same_site = same_site;
        self.validate()
    }

    /// Sets a domain: browsers send the cookie to all of its hosts (RFC 6265 §5.2.3). The default is this host alone.
    ///
    /// A browser drops a cookie for a public suffix, such as `com` or `co.uk`. A domain of one label is an error here;
    /// longer suffixes are not detected: their list would add 0.8 MB to a program and soon be out of date.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Cookie`] if the name has the prefix `__Host-`, or if the domain is malformed.
    pub fn with_domain(mut self, domain: &str) -> Result<Self, ConfigError> {
        self.domain = Some(domain.to_owned());
        self.validate()
    }

    /// Adds a path and a domain that the cookie had in an earlier release of the service, with the same name. The
    /// responses to login, refresh and logout clear that cookie.
    ///
    /// Without this a browser sends the former cookie beside the current one until it expires, and a request with two
    /// live sessions is rejected. The response to a login clears the former cookie, but ends its session only if the
    /// browser sent it to the login.
    ///
    /// The domain `None` is this host alone. A browser clears the cookie of a domain only for a host of that domain. A
    /// cookie of another name is not read and does not have to be cleared.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth::RefreshCookie;
    ///
    /// // The last release set it below `/auth`, and the one before for all hosts of the domain.
    /// let cookie = RefreshCookie::secure("/")?
    ///     .with_former_scope("/auth", None)?
    ///     .with_former_scope("/auth", Some("shop.example"))?;
    /// assert!(cookie.clone().with_former_scope("/", None).is_err(), "the current scope");
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError::Cookie`] if the path or the domain is malformed, if both are the current ones or were added
    /// before, or if the name has the prefix `__Host-`, whose cookies always have the path `/` and no domain.
    pub fn with_former_scope(
        mut self,
        path: &str,
        domain: Option<&str>,
    ) -> Result<Self, ConfigError> {
        if self.former_scopes.iter().any(|scope| scope.matches(path, domain)) {
            return reject("a former path and domain are added twice");
        }
        self.former_scopes
            .push(CookieScope { path: path.to_owned(), domain: domain.map(str::to_owned) });
        self.validate()
    }

    /// Rejects a cookie that browsers would drop (RFC 6265bis §5.7), and a former scope that would clear the cookie
    /// itself.
    fn validate(self) -> Result<Self, ConfigError> {
        if self.name.len() > 64 || !cookies::is_name(&self.name) {
            return reject("the name must be a token (RFC 9110 §5.6.2) of at most 64 characters");
        }
        let is_path = |path: &str| {
            path.starts_with('/')
                && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
        };
        if !is_path(&self.path) || !self.former_scopes.iter().all(|former| is_path(&former.path)) {
            return reject(
                "a path must begin with a slash and consist of visible ASCII without semicolon",
            );
        }
        // Browsers ignore the case of the prefixes.
        let lower = self.name.to_ascii_lowercase();
        if lower.starts_with("__host-")
            && (self.path != "/" || self.domain.is_some() || !self.secure)
        {
            return reject("the prefix __Host- requires Secure, the path / and no domain");
        }
        if lower.starts_with("__host-") && !self.former_scopes.is_empty() {
            return reject("a cookie with the prefix __Host- has no former path or domain");
        }
        if lower.starts_with("__secure-") && !self.secure {
            return reject("the prefix __Secure- requires Secure");
        }
        if self.same_site == SameSite::None && !self.secure {
            return reject("SameSite=None requires Secure");
        }
        let mut former_domains = self.former_scopes.iter().map(|former| former.domain.as_deref());
        if !self.domain.as_deref().is_none_or(cookies::is_domain)
            || !former_domains.all(|domain| domain.is_none_or(cookies::is_domain))
        {
            return reject(
                "a domain must consist of two or more labels of letters, digits and hyphens, \
                 separated by dots, and must not be an address",
            );
        }
        if self
            .former_scopes
            .iter()
            .any(|former| former.matches(&self.path, self.domain.as_deref()))
        {
            return reject("a former path and domain are the current ones");
        }
        Ok(self)
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the values of all cookies of this name in a request.
    pub(crate) fn values<'h>(&self, headers: &'h HeaderMap) -> Vec<&'h [u8]> {
        cookies::values(headers, &self.name).collect()
    }

    /// Returns the refresh tokens in the cookies of a request, unverified, for
    /// [`SignIn::replacing_token`](crate::SignIn::replacing_token).
    pub fn tokens<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> + use<'h> {
        self.values(headers).into_iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// Returns the `Set-Cookie` headers that set this token for its lifetime and clear the cookie in former scopes.
    pub(crate) fn set(&self, token: &RefreshToken) -> Option<Vec<HeaderValue>> {
        self.headers(token.as_str(), token.valid_for())
    }

    /// Returns the `Set-Cookie` headers that clear the cookie. They have the same name, paths and attributes.
    pub(crate) fn clear(&self) -> Option<Vec<HeaderValue>> {
        self.headers("", Duration::ZERO)
    }

    fn headers(&self, value: &str, max_age: Duration) -> Option<Vec<HeaderValue>> {
        let current = self.header(&self.path, self.domain.as_deref(), value, max_age);
        let former = self
            .former_scopes
            .iter()
            .map(|former| self.header(&former.path, former.domain.as_deref(), "", Duration::ZERO));
        std::iter::once(current).chain(former).collect()
    }

    fn header(
        &self,
        path: &str,
        domain: Option<&str>,
        value: &str,
        max_age: Duration,
    ) -> Option<HeaderValue> {
        let same_site = match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        };
        let cookie = [
            &*self.name,
            "=",
            value,
            "; HttpOnly",
            same_site,
            if self.secure { "; Secure" } else { "" },
            "; Path=",
            path,
            if domain.is_some() { "; Domain=" } else { "" },
            domain.unwrap_or_default(),
            "; Max-Age=",
            &max_age.as_secs().to_string(),
        ]
        .concat();
        let mut header = HeaderValue::from_maybe_shared(Bytes::from(cookie)).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

fn reject<T>(problem: &'static str) -> Result<T, ConfigError> {
    Err(ConfigError::Cookie { problem })
}
