use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::cookie::RefreshCookie;
use super::endpoint::Endpoint;
use super::future::EndpointFuture;
use super::headers::{no_store, set_cookies};
use super::responder::Responder;
use crate::error::ConfigError;
use crate::http::challenge::AuthError;
use crate::http::origin::OriginPolicy;
use crate::sessions::{LogoutScope, RefreshError, Sessions};

/// The endpoint that ends sessions and clears the refresh cookie.
///
/// The request is a `POST` without a body. The refresh tokens of the ended sessions are rejected from then on, and so
/// are their access tokens: on this node from the response on, on the other nodes once they have read the log.
///
/// | response | meaning |
/// |---|---|
/// | 204 | the sessions have ended; the cookie is cleared unless its session continues |
/// | 401 | no session was ended, except that of a spent token |
/// | 403 | another site caused the request |
/// | 405 | the method is not `POST` |
/// | 500 | the service has a fault |
/// | 503 | the store is unavailable; some of the sessions may have ended |
///
/// A service and its clones work on 4096 requests at a time; the response is 503 beyond them. Create the service once
/// and clone it.
///
/// [`this_session`](Self::this_session) accepts every refresh token of a session, also a spent one, so that a
/// simultaneous refresh in another tab does not keep the session alive. It ends the sessions of all cookies in the
/// request, responds with 204 also if they ended before, and with 401 to cookies of more than 50 sessions.
///
/// [`everywhere`](Self::everywhere) and [`others`](Self::others) require one token that a refresh would accept,
/// selected as by [`RefreshService`](super::RefreshService). A spent token ends its own session and no other, as in a
/// refresh.
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
    /// Creates the endpoint that ends the session of the cookie.
    pub fn this_session(sessions: &Sessions<C>, cookie: RefreshCookie) -> Self {
        Self::new(sessions, cookie, LogoutScope::Current)
    }

    /// Creates the endpoint that ends all sessions of the user.
    pub fn everywhere(sessions: &Sessions<C>, cookie: RefreshCookie) -> Self {
        Self::new(sessions, cookie, LogoutScope::All)
    }

    /// Creates the endpoint that ends all sessions of the user except that of the cookie.
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
    /// [`ConfigError::Name`] if it is empty or contains anything other than visible ASCII and spaces.
    pub fn with_realm(mut self, realm: &str) -> Result<Self, ConfigError> {
        self.endpoint.set_realm(realm)?;
        Ok(self)
    }

    /// Sets the origins whose pages may call the endpoint. The default is the same origin.
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
        let without_token = |responder: &Responder, cookies: &[&[u8]]| match scope {
            LogoutScope::Current => responder.logged_out(scope),
            LogoutScope::All | LogoutScope::Others => responder.reject_without_token(cookies),
        };
        self.endpoint.call(&request, without_token, move |call| async move {
            match call.sessions.logout(call.tokens, scope, &call.client).await {
                Ok(()) => call.responder.logged_out(scope),
                Err(error) => call.responder.reject_logout(error),
            }
        })
    }
}

impl Responder {
    /// Creates the 204, which clears the cookie unless its session continues.
    fn logged_out(&self, scope: LogoutScope) -> Response<Full<Bytes>> {
        let mut response = no_store(StatusCode::NO_CONTENT, Full::default());
        if scope != LogoutScope::Others {
            let Some(cookies) = self.cookie.clear() else { return self.reject(AuthError::Failed) };
            set_cookies(response.headers_mut(), cookies);
        }
        response
    }

    /// Creates the response to a failed logout. It does not clear the cookie, so that the client can retry.
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
