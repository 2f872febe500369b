use std::borrow::Cow;

use http::HeaderMap;
use http::header::USER_AGENT;

use super::RefreshCookie;
use crate::sessions::SignIn;

impl<C> SignIn<C> {
    /// What the headers of the login request say: the user agent, and the sessions to [replace](Self::replacing_token),
    /// which are those of all refresh tokens that came along in this cookie.
    ///
    /// The address of the client stays as it was set: behind a proxy it is in a header that only the
    /// application knows to believe. Give it before, with [`with_client_info`](Self::with_client_info), which replaces
    /// the whole device.
    ///
    /// Call [`OriginPolicy::check`](crate::OriginPolicy::check) first: otherwise another site can sign its
    /// visitors in as someone else.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{HeaderMap, Uri};
    /// use tower_jwt_auth::sessions::ClientInfo;
    /// use tower_jwt_auth::{AuthError, OriginPolicy, RefreshCookie, SignIn};
    ///
    /// fn who(headers: &HeaderMap, uri: &Uri, address: String) -> Result<SignIn, AuthError> {
    ///     OriginPolicy::same_origin().check(headers, uri)?;
    ///     // … once the password has been checked:
    ///     Ok(SignIn::new("alice")
    ///         .with_client_info(ClientInfo::default().with_address(address))
    ///         .with_request(headers, &RefreshCookie::host()))
    /// }
    /// # assert!(who(&HeaderMap::new(), &Uri::default(), "192.0.2.7".to_owned()).is_ok());
    /// ```
    pub fn with_request(mut self, headers: &HeaderMap, cookie: &RefreshCookie) -> Self {
        if let Some(user_agent) = user_agent(headers) {
            self.client_info = self.client_info.with_user_agent(user_agent);
        }
        cookie.tokens(headers).fold(self, Self::replacing_token)
    }
}

/// What the client calls itself (RFC 9110 §10.1.5), with a stand-in for what is not UTF-8.
pub(super) fn user_agent(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()))
}
