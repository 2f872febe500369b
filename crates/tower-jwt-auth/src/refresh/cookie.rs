use std::time::Duration;

use cookie::{Cookie, CookieBuilder};
use http::{HeaderMap, HeaderValue};

use crate::cookies;
use crate::error::ConfigError;
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
/// use tower_jwt_auth::{RefreshCookie, SameSite};
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
        let is_path = path.starts_with('/')
            && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
        if !is_path {
            return refuse("a path begins with a slash and has visible ASCII without semicolon");
        }
        Ok(Self {
            name: "__Secure-refresh_token".to_owned(),
            path: path.to_owned(),
            ..Self::host()
        })
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

    /// A domain, to whose hosts the cookie is sent.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Cookie`] with the prefix `__Host-`, and when it is no domain.
    pub fn with_domain(mut self, domain: &str) -> Result<Self, ConfigError> {
        self.domain = Some(domain.to_owned());
        self.checked()
    }

    /// Refuses what browsers would drop (RFC 6265bis §5.7).
    fn checked(self) -> Result<Self, ConfigError> {
        if self.name.len() > 64 || !cookies::is_name(&self.name) {
            return refuse("a name is a token as of RFC 9110 §5.6.2, of 64 characters at most");
        }
        // Browsers match the prefixes without regard to case.
        let lower = self.name.to_ascii_lowercase();
        if lower.starts_with("__host-")
            && (self.path != "/" || self.domain.is_some() || !self.secure)
        {
            return refuse("the prefix __Host- needs Secure, the path / and no domain");
        }
        if lower.starts_with("__secure-") && !self.secure {
            return refuse("the prefix __Secure- needs Secure");
        }
        if self.same_site == SameSite::None && !self.secure {
            return refuse("SameSite=None needs Secure");
        }
        let is_domain = |domain: &str| {
            !domain.is_empty()
                && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        };
        if !self.domain.as_deref().is_none_or(is_domain) {
            return refuse("a domain has letters, digits, hyphens and dots");
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

    /// The refresh tokens in a request's cookies, as they came; for [`SignIn::replacing`](crate::SignIn::replacing).
    pub fn tokens<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> + use<'h> {
        self.values(headers).into_iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The `Set-Cookie` that hands out this token for as long as it can be used.
    pub(crate) fn set(&self, token: &RefreshToken) -> Option<HeaderValue> {
        self.header(token.as_str(), token.valid_for())
    }

    /// The `Set-Cookie` that makes the browser forget the token: same name, path and attributes.
    pub(crate) fn clear(&self) -> Option<HeaderValue> {
        self.header("", Duration::ZERO)
    }

    fn header(&self, value: &str, max_age: Duration) -> Option<HeaderValue> {
        let seconds = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
        let mut cookie: CookieBuilder<'_> = Cookie::build((self.name.as_str(), value))
            .http_only(true)
            .secure(self.secure)
            .path(self.path.as_str())
            .max_age(cookie::time::Duration::seconds(seconds))
            .same_site(match self.same_site {
                SameSite::Strict => cookie::SameSite::Strict,
                SameSite::Lax => cookie::SameSite::Lax,
                SameSite::None => cookie::SameSite::None,
            });
        if let Some(domain) = &self.domain {
            cookie = cookie.domain(domain.as_str());
        }
        let mut header = HeaderValue::from_str(&cookie.build().to_string()).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

fn refuse<T>(problem: &'static str) -> Result<T, ConfigError> {
    Err(ConfigError::Cookie { problem })
}
