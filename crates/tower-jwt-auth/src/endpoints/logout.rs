use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::endpoint::{Endpoint, Replies, set_cookies};
use super::token_response::no_store;
use super::{EndpointFuture, RefreshCookie};
use crate::error::ConfigError;
use crate::http::challenge::AuthError;
use crate::http::origin::OriginPolicy;
use crate::sessions::{LogoutScope, RefreshError, Sessions};

/// The endpoint that ends sessions and makes the browser forget the cookie.
///
/// `POST` without a body. The refresh tokens of the ended sessions open nothing any more, and their access
/// tokens stop working at once: on this node when the answer is sent, on others when they have read the log.
///
/// Any refresh token of a session ends it, also an older one, so that another tab that refreshes at the same
/// moment does not keep it alive. Signing out of this session alone is 204 however often it is asked for, and
/// ends every session whose cookie came along; cookies of more than 50 sessions are 401. Ending other sessions
/// needs one token that is good for a refresh, chosen as [`RefreshService`](super::RefreshService) does, and is
/// 401 otherwise. A token that was spent before ends its own session, as at a refresh, and no other.
///
/// # Examples
///
/// ```
/// use axum::Router;
/// use tower_jwt_auth::{
///     Issuer, LogoutService, MemoryStore, RefreshCookie, RefreshSecrets, Sessions, SigningKey,
/// };
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
/// let cookie = RefreshCookie::host();
/// let app: Router = Router::new()
///     .route_service("/auth/logout", LogoutService::this_session(&sessions, cookie.clone()))
///     .route_service("/auth/logout-all", LogoutService::everywhere(&sessions, cookie));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct LogoutService<C = ()> {
    endpoint: Endpoint<C>,
    scope: LogoutScope,
}

impl<C> LogoutService<C> {
    /// Ends the session of the cookie.
    pub fn this_session(sessions: &Sessions<C>, cookie: RefreshCookie) -> Self {
        Self::new(sessions, cookie, LogoutScope::Current)
    }

    /// Ends all sessions of the user whose session the cookie is of. Its token must be good for a refresh.
    pub fn everywhere(sessions: &Sessions<C>, cookie: RefreshCookie) -> Self {
        Self::new(sessions, cookie, LogoutScope::All)
    }

    /// Ends all sessions of the user but the one that the cookie is of. Its token must be good for a refresh.
    pub fn others(sessions: &Sessions<C>, cookie: RefreshCookie) -> Self {
        Self::new(sessions, cookie, LogoutScope::Others)
    }

    fn new(sessions: &Sessions<C>, cookie: RefreshCookie, scope: LogoutScope) -> Self {
        Self { endpoint: Endpoint::new(sessions, cookie), scope }
    }

    /// Sets the realm that challenges name (RFC 9110 §11.5). The default is `api`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Name`] if it is empty or not visible ASCII.
    pub fn with_realm(mut self, realm: &str) -> Result<Self, ConfigError> {
        self.endpoint.set_realm(realm)?;
        Ok(self)
    }

    /// Sets the origins whose pages may call. The default is the same origin.
    pub fn with_origins(mut self, origins: OriginPolicy) -> Self {
        self.endpoint.set_origins(origins);
        self
    }
}

impl<C, B> Service<Request<B>> for LogoutService<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = EndpointFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> EndpointFuture {
        let scope = self.scope;
        let without_token = |replies: &Replies, cookies: &[&[u8]]| match scope {
            LogoutScope::Current => replies.logged_out(scope),
            LogoutScope::All | LogoutScope::Others => replies.reject_without_token(cookies),
        };
        self.endpoint.call(&request, without_token, move |call| async move {
            match call.sessions.logout(call.tokens, scope, &call.client).await {
                Ok(()) => call.replies.logged_out(scope),
                Err(error) => call.replies.reject_logout(error),
            }
        })
    }
}

impl Replies {
    /// 204, which clears the cookie unless its session goes on.
    fn logged_out(&self, scope: LogoutScope) -> Response<Full<Bytes>> {
        let mut response = no_store(StatusCode::NO_CONTENT, Full::default());
        if scope != LogoutScope::Others {
            let Some(cookies) = self.cookie.clear() else { return self.reject(AuthError::Failed) };
            set_cookies(response.headers_mut(), cookies);
        }
        response
    }

    /// The response where no session was ended, or where it is not certain which were. The cookie stays.
    fn reject_logout(&self, error: RefreshError) -> Response<Full<Bytes>> {
        let (error, source) = match error {
            RefreshError::Rejected(rejection) => return self.reject_token(rejection),
            RefreshError::Unavailable { source, .. } => (AuthError::Unavailable, source),
            RefreshError::Failed { source, .. } => (AuthError::Failed, source),
        };
        tracing::warn!(error = &*source as &dyn std::error::Error, "sessions cannot be ended");
        self.reject(error)
    }
}

impl<C> Clone for LogoutService<C> {
    fn clone(&self) -> Self {
        Self { endpoint: self.endpoint.clone(), scope: self.scope }
    }
}
