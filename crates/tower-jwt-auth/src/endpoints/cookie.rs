use std::time::Duration;

use cookie::{Cookie, CookieBuilder};
use http::{HeaderMap, HeaderValue};

use crate::error::ConfigError;
use crate::http::cookies;
use crate::refresh_token::RefreshToken;

/// When browsers send the cookie with requests that other sites cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// Never.
    Strict,
    /// When the user follows a link.
    Lax,
    /// Always; for pages on another site than the service. Needs `Secure`.
    None,
}

/// The cookie that carries the refresh token: `HttpOnly` and `Secure`, its name and scope checked when it is
/// built, so that browsers do not drop it.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::endpoints::SameSite;
/// use tower_jwt_auth::RefreshCookie;
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
    former: Vec<Scope>,
}

/// Where a cookie is sent. Browsers keep cookies of one name apart by it (RFC 6265 §5.3).
#[derive(Clone, Debug)]
struct Scope {
    path: String,
    domain: Option<String>,
}

impl Scope {
    fn is(&self, path: &str, domain: Option<&str>) -> bool {
        // Browsers take no notice of case (RFC 6265 §5.2.3).
        let plain = str::to_ascii_lowercase;
        self.path == path && self.domain.as_deref().map(plain) == domain.map(plain)
    }
}

impl RefreshCookie {
    /// `__Host-refresh_token`, for the whole host and no other: no sibling domain can set it.
    ///
    /// Chromium and curl take it on `http://localhost` too.
    pub fn host() -> Self {
        Self {
            name: "__Host-refresh_token".to_owned(),
            path: "/".to_owned(),
            domain: None,
            same_site: SameSite::Strict,
            secure: true,
            former: Vec::new(),
        }
    }

    /// `__Secure-refresh_token`, sent under this path alone.
    ///
    /// Login, refresh and logout must all lie under it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Cookie`] when it is no path.
    pub fn secure(path: &str) -> Result<Self, ConfigError> {
        Self { name: "__Secure-refresh_token".to_owned(), path: path.to_owned(), ..Self::host() }
            .checked()
    }

    /// `refresh_token` without `Secure`, for development on plain http in browsers that insist, as Safari
    /// does. Anyone on the network can read it.
    pub fn development() -> Self {
        Self { name: "refresh_token".to_owned(), secure: false, ..Self::host() }
    }

    /// Another name. The prefixes `__Host-` and `__Secure-` make their demands.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Cookie`] when it is no name, or a prefix's demands are not met.
    pub fn with_name(mut self, name: &str) -> Result<Self, ConfigError> {
        name.clone_into(&mut self.name);
        self.checked()
    }

    /// Another `SameSite`; `Strict`, unless set.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Cookie`] for `None` without `Secure`.
    pub fn with_same_site(mut self, same_site: SameSite) -> Result<Self, ConfigError> {
        self.same_site = same_site;
        self.checked()
    }

    /// Sets a domain, to whose hosts the cookie is sent (RFC 6265 §5.2.3).
    ///
    /// A browser drops a cookie for a public suffix, such as `com` or `co.uk`. A name of one label is refused here;
    /// longer suffixes are not known: the list of them would add 0.8 MB to a program and be out of date soon.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Cookie`] with the prefix `__Host-`, and when it is no domain.
    pub fn with_domain(mut self, domain: &str) -> Result<Self, ConfigError> {
        self.domain = Some(domain.to_owned());
        self.checked()
    }

    /// A path and domain for which the cookie was set before, under the same name: what is left there is
    /// cleared at login, refresh and logout. May be called several times.
    ///
    /// A browser sends such a cookie beside the current one until it expires. Where the sessions of both are
    /// live, the request is refused. A login that the former cookie is not sent to cannot end its session, but
    /// its answer can clear it.
    ///
    /// `None` stands for the host without a domain. A browser clears cookies of a domain only for a host that
    /// belongs to it. A cookie of another name is not read and needs no clearing.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth::RefreshCookie;
    ///
    /// // It was set under `/auth` until now, and before that for all hosts of the domain.
    /// let cookie = RefreshCookie::secure("/")?
    ///     .also_clear("/auth", None)?
    ///     .also_clear("/auth", Some("shop.example"))?;
    /// assert!(cookie.clone().also_clear("/", None).is_err(), "the cookie is there now");
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError::Cookie`] when it is no path or no domain, for the path and domain that the cookie has now,
    /// for those that are given twice, and with the prefix `__Host-`, whose cookies have the path `/` and no
    /// domain at all times.
    pub fn also_clear(mut self, path: &str, domain: Option<&str>) -> Result<Self, ConfigError> {
        if self.former.iter().any(|scope| scope.is(path, domain)) {
            return refuse("a former path and domain are given twice");
        }
        self.former.push(Scope { path: path.to_owned(), domain: domain.map(str::to_owned) });
        self.checked()
    }

    /// Refuses what browsers would drop (RFC 6265bis §5.7), and what would clear the cookie itself.
    fn checked(self) -> Result<Self, ConfigError> {
        if self.name.len() > 64 || !cookies::is_name(&self.name) {
            return refuse("a name is a token as of RFC 9110 §5.6.2, of 64 characters at most");
        }
        let is_path = |path: &str| {
            path.starts_with('/')
                && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
        };
        if !is_path(&self.path) || !self.former.iter().all(|former| is_path(&former.path)) {
            return refuse("a path begins with a slash and has visible ASCII without semicolon");
        }
        // Browsers match the prefixes without regard to case.
        let lower = self.name.to_ascii_lowercase();
        if lower.starts_with("__host-")
            && (self.path != "/" || self.domain.is_some() || !self.secure)
        {
            return refuse("the prefix __Host- needs Secure, the path / and no domain");
        }
        if lower.starts_with("__host-") && !self.former.is_empty() {
            return refuse("a cookie with the prefix __Host- has no former path or domain");
        }
        if lower.starts_with("__secure-") && !self.secure {
            return refuse("the prefix __Secure- needs Secure");
        }
        if self.same_site == SameSite::None && !self.secure {
            return refuse("SameSite=None needs Secure");
        }
        let mut former = self.former.iter().map(|former| former.domain.as_deref());
        if !self.domain.as_deref().is_none_or(cookies::is_domain)
            || !former.all(|domain| domain.is_none_or(cookies::is_domain))
        {
            return refuse(
                "a domain has two labels or more of letters, digits and hyphens, with a dot between \
                 them, and is no address",
            );
        }
        if self.former.iter().any(|former| former.is(&self.path, self.domain.as_deref())) {
            return refuse("a former path and domain are those that the cookie has now");
        }
        Ok(self)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values of all cookies of this name in the request.
    pub(crate) fn values<'h>(&self, headers: &'h HeaderMap) -> Vec<&'h [u8]> {
        cookies::values(headers, &self.name).collect()
    }

    /// The refresh tokens in a request's cookies, as they came; for [`SignIn::replacing_token`](crate::SignIn::replacing_token).
    pub fn tokens<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> + use<'h> {
        self.values(headers).into_iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The `Set-Cookie`s that hand out this token for as long as it can be used, and clear former scopes.
    pub(crate) fn set(&self, token: &RefreshToken) -> Option<Vec<HeaderValue>> {
        self.headers(token.as_str(), token.valid_for())
    }

    /// The `Set-Cookie`s that make the browser forget the token: same name, paths and attributes.
    pub(crate) fn clear(&self) -> Option<Vec<HeaderValue>> {
        self.headers("", Duration::ZERO)
    }

    fn headers(&self, value: &str, max_age: Duration) -> Option<Vec<HeaderValue>> {
        let current = self.header(&self.path, self.domain.as_deref(), value, max_age);
        let former = self
            .former
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
        let seconds = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
        let mut cookie: CookieBuilder<'_> = Cookie::build((self.name.as_str(), value))
            .http_only(true)
            .secure(self.secure)
            .path(path)
            .max_age(cookie::time::Duration::seconds(seconds))
            .same_site(match self.same_site {
                SameSite::Strict => cookie::SameSite::Strict,
                SameSite::Lax => cookie::SameSite::Lax,
                SameSite::None => cookie::SameSite::None,
            });
        if let Some(domain) = domain {
            cookie = cookie.domain(domain);
        }
        let mut header = HeaderValue::from_str(&cookie.build().to_string()).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

fn refuse<T>(problem: &'static str) -> Result<T, ConfigError> {
    Err(ConfigError::Cookie { problem })
}
