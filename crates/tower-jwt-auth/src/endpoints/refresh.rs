use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::ClientInfo;
use tower_service::Service;

use super::RefreshCookie;
use super::sign_in::user_agent;
use super::token_response::{Endpoint, EndpointFuture};
use crate::error::ConfigError;
use crate::http::challenge::Realm;
use crate::http::origin::OriginPolicy;
use crate::sessions::{Sessions, Work};

/// The endpoint that swaps the refresh cookie for a new access token and the next refresh cookie.
///
/// `POST` without a body. 200 with `{"access_token","token_type","expires_in"}`; 401 when the session is over
/// or there is none, which leaves the cookie alone; 403 for requests that other sites cause; 503 when the
/// store is out of reach. No answer may be cached.
///
/// A browser may bring several cookies of the name, each set for another path or domain. Those with a bad
/// signature and those whose session is over are passed over. One session left is refreshed; two live ones are
/// 401, and so are cookies of more than 8 sessions.
///
/// # Examples
///
/// ```
/// use axum::Router;
/// use tower_jwt_auth::{
///     Issuer, MemoryStore, OriginPolicy, RefreshCookie, RefreshSecrets, RefreshService, Sessions,
///     SigningKey,
/// };
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let sessions = Sessions::<()>::new(issuer, RefreshSecrets::generate()?, MemoryStore::new())?;
/// let origins = OriginPolicy::same_origin().with_public_origin("https://shop.example")?;
/// let refresh = RefreshService::new(&sessions, RefreshCookie::host()).with_origins(origins);
/// let app: Router = Router::new().route_service("/auth/refresh", refresh);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct RefreshService<C> {
    sessions: Sessions<C>,
    endpoint: Arc<Endpoint>,
}

impl<C> RefreshService<C> {
    /// Refreshes these sessions, whose refresh tokens travel in this cookie.
    pub fn new(sessions: &Sessions<C>, cookie: RefreshCookie) -> Self {
        Self { sessions: sessions.clone(), endpoint: Arc::new(Endpoint::new(cookie)) }
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

impl<C, B> Service<Request<B>> for RefreshService<C>
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
        if verified.is_empty() {
            return EndpointFuture::ready(endpoint.refuse_unopened(&cookies));
        }
        let client_info = client_info(request.headers());
        let sessions = self.sessions.clone();
        EndpointFuture::working(&self.sessions, Work::Refresh, Arc::clone(&endpoint), async move {
            match sessions.refresh_one_of(verified, &client_info).await {
                Ok(tokens) => tokens.into_response(&endpoint.cookie),
                Err(error) => endpoint.refuse_refresh(error),
            }
        })
    }
}

/// What a request tells of the client's device.
pub(super) fn client_info(headers: &HeaderMap) -> ClientInfo {
    // One that says nothing differs from one that says something.
    ClientInfo::default().with_user_agent(user_agent(headers).unwrap_or_default())
}

impl<C> Clone for RefreshService<C> {
    fn clone(&self) -> Self {
        Self { sessions: self.sessions.clone(), endpoint: Arc::clone(&self.endpoint) }
    }
}

impl<C> fmt::Debug for RefreshService<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshService").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
