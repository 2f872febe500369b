use std::borrow::Cow;

use http::HeaderMap;
use http::header::USER_AGENT;
use tower_jwt_auth_core::StoreError;

use super::cookie::RefreshCookie;
use crate::http::challenge::AuthError;
use crate::issuer::IssueError;
use crate::sessions::{SessionError, SignIn};

impl<C> SignIn<C> {
    /// Sets the user agent from the headers of the login request, and [replaces](Self::replacing_token) the refresh
    /// tokens in its cookies.
    ///
    /// It does not set the address of the client: behind a proxy the address is in a header, and only the application
    /// knows whether to trust it. Set it before this with [`with_client_info`](Self::with_client_info), which replaces
    /// the user agent as well.
    ///
    /// Call [`OriginPolicy::check`](crate::OriginPolicy::check) first. Otherwise another site can sign its visitors in
    /// as someone else.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{HeaderMap, Uri};
    /// use tower_jwt_auth::sessions::ClientInfo;
    /// use tower_jwt_auth::{AuthError, OriginPolicy, RefreshCookie, SignIn};
    ///
    /// fn sign_in(headers: &HeaderMap, uri: &Uri, address: String) -> Result<SignIn, AuthError> {
    ///     OriginPolicy::same_origin().check(headers, uri)?;
    ///     // … after the check of the password:
    ///     Ok(SignIn::new("alice")
    ///         .with_client_info(ClientInfo::default().with_address(address))
    ///         .with_request(headers, &RefreshCookie::host()))
    /// }
    /// # assert!(sign_in(&HeaderMap::new(), &Uri::default(), "192.0.2.7".to_owned()).is_ok());
    /// ```
    pub fn with_request(mut self, headers: &HeaderMap, cookie: &RefreshCookie) -> Self {
        if let Some(user_agent) = user_agent(headers) {
            self.client_info = self.client_info.with_user_agent(user_agent);
        }
        cookie.tokens(headers).fold(self, Self::replacing_token)
    }
}

/// The response to a sign-in or to another call of [`Sessions`](crate::Sessions) that failed: 403 beyond the session
/// limit and for an identity of another issuer, 503 if the store is unavailable, otherwise 500.
impl From<&SessionError> for AuthError {
    fn from(error: &SessionError) -> Self {
        match error {
            SessionError::Limit | SessionError::OtherIssuer => Self::Forbidden,
            SessionError::Store(StoreError::Unavailable(_))
            | SessionError::Issue(IssueError::SignerUnavailable(_)) => Self::Unavailable,
            _ => Self::Failed,
        }
    }
}

/// Returns the user agent (RFC 9110 §10.1.5), with replacement characters for bytes that are not UTF-8.
pub(super) fn user_agent(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()))
}
