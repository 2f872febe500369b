use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::cookie::RefreshCookie;
use super::endpoint::Endpoint;
use super::future::EndpointFuture;
use super::responder::Responder;
use crate::error::ConfigError;
use crate::http::origin::OriginPolicy;
use crate::sessions::Sessions;

/// The endpoint that exchanges the refresh cookie for a new access token and the next refresh cookie (RFC 6749 §6).
///
/// The request is a `POST` without a body. No response may be cached.
///
/// | response | meaning |
/// |---|---|
/// | 200 | the body is `{"access_token": …, "token_type": "Bearer", "expires_in": <seconds>}` (RFC 6749 §5.1) |
/// | 401 | there is no valid cookie or its session has ended; the cookie is not cleared |
/// | 403 | another site caused the request |
/// | 405 | the method is not `POST` |
/// | 500 | the service has a fault; the response sets the successor of the cookie if the session has rotated |
/// | 503 | the store or the hook is unavailable; the response sets the successor likewise |
///
/// A service and its clones work on 4096 requests at a time; the response is 503 beyond them. Create the service once
/// and clone it.
///
/// A browser may send several cookies of the name, set for different paths or domains. Those with an invalid signature
/// and those whose session has ended are ignored. If one session remains, it is refreshed. Cookies of two live sessions
/// or of more than 8 sessions are rejected with 401.
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
/// let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
/// let origins = OriginPolicy::same_origin().with_public_origin("https://shop.example")?;
/// let refresh = RefreshService::new(&sessions, RefreshCookie::host()).with_origins(origins);
/// let app: Router = Router::new().route_service("/auth/refresh", refresh);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct RefreshService<C = ()> {
    endpoint: Endpoint<C>,
}

impl<C> RefreshService<C> {
    /// Creates the endpoint for these sessions and this cookie.
    pub fn new(sessions: &Sessions<C>, cookie: RefreshCookie) -> Self {
        Self { endpoint: Endpoint::new(sessions, cookie) }
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

impl<C, B> Service<Request<B>> for RefreshService<C>
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
        self.endpoint.call(&request, Responder::reject_without_token, |call| async move {
            match call.sessions.refresh_one_of(call.tokens, &call.client).await {
                Ok(tokens) => tokens.into_token_response(&call.responder.cookie),
                Err(error) => call.responder.reject_refresh(error),
            }
        })
    }
}

impl<C> Clone for RefreshService<C> {
    fn clone(&self) -> Self {
        Self { endpoint: self.endpoint.clone() }
    }
}
