use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::RefreshCookie;
use super::refresh::client_info;
use super::token_response::{Endpoint, EndpointFuture, empty, set_cookies};
use crate::error::ConfigError;
use crate::http::challenge::{AuthError, Realm};
use crate::http::origin::OriginPolicy;
use crate::sessions::{LogoutScope, RefreshError, Sessions, Work};

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
/// let sessions = Sessions::<()>::new(issuer, RefreshSecrets::generate()?, MemoryStore::new())?;
/// let cookie = RefreshCookie::host();
/// let app: Router = Router::new()
///     .route_service("/auth/logout", LogoutService::this_session(&sessions, cookie.clone()))
///     .route_service("/auth/logout-all", LogoutService::everywhere(&sessions, cookie));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct LogoutService<C> {
    sessions: Sessions<C>,
    endpoint: Arc<Endpoint>,
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
        Self { sessions: sessions.clone(), endpoint: Arc::new(Endpoint::new(cookie)), scope }
    }

    /// The realm that challenges name (RFC 9110 §11.5); `api`, unless set.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Name`] when it is empty or not visible ASCII.
    pub fn with_realm(mut self, realm: &str) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.endpoint).realm = Realm::new(realm)?;
        Ok(self)
    }

    /// Which origins may call; the same origin, unless set.
    pub fn with_origins(mut self, origins: OriginPolicy) -> Self {
        Arc::make_mut(&mut self.endpoint).origins = origins;
        self
    }
}

impl<C, B> Service<Request<B>> for LogoutService<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
    B: Body + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = EndpointFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> EndpointFuture {
        let endpoint = Arc::clone(&self.endpoint);
        if let Some(response) =
            endpoint.reject_early(request.method(), request.uri(), request.headers())
        {
            return EndpointFuture::ready(response);
        }
        let cookies = endpoint.cookie.values(request.headers());
        let verified = self.sessions.verify_all(cookies.iter().copied());
        let (sessions, scope) = (self.sessions.clone(), self.scope);
        let client = client_info(request.headers());
        if verified.is_empty() {
            return EndpointFuture::ready(match scope {
                LogoutScope::Current => endpoint.signed_out(scope),
                LogoutScope::All | LogoutScope::Others => endpoint.refuse_unopened(&cookies),
            });
        }
        EndpointFuture::working(&self.sessions, Work::Logout, Arc::clone(&endpoint), async move {
            match sessions.logout(verified, scope, &client).await {
                Ok(()) => endpoint.signed_out(scope),
                Err(error) => endpoint.refuse_logout(error),
            }
        })
    }
}

impl Endpoint {
    /// 204, and no cookie any more unless the session goes on.
    fn signed_out(&self, scope: LogoutScope) -> Response<Full<Bytes>> {
        let mut response = empty(StatusCode::NO_CONTENT);
        match (scope, self.cookie.clear()) {
            (LogoutScope::Others, _) => {}
            (LogoutScope::Current | LogoutScope::All, Some(cookies)) => {
                set_cookies(response.headers_mut(), cookies);
            }
            (LogoutScope::Current | LogoutScope::All, None) => {
                return self.refuse(AuthError::Failed);
            }
        }
        response
    }

    /// The answer when nothing was ended, or when it is not certain what was; the cookie is left alone.
    fn refuse_logout(&self, error: RefreshError) -> Response<Full<Bytes>> {
        let (answer, source) = match error {
            RefreshError::Rejected(refusal) => return self.refuse_token(refusal),
            RefreshError::Unavailable { source, .. } => (AuthError::Unavailable, source),
            RefreshError::Failed { source, .. } => (AuthError::Failed, source),
        };
        tracing::warn!(error = &*source as &dyn std::error::Error, "sessions could not be ended");
        self.refuse(answer)
    }
}

impl<C> Clone for LogoutService<C> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            endpoint: Arc::clone(&self.endpoint),
            scope: self.scope,
        }
    }
}

impl<C> fmt::Debug for LogoutService<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutService")
            .field("scope", &self.scope)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
