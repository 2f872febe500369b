use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::endpoint::{Endpoint, Replies};
use super::{EndpointFuture, RefreshCookie};
use crate::error::ConfigError;
use crate::http::origin::OriginPolicy;
use crate::sessions::Sessions;

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
    /// Creates the endpoint for these sessions, whose refresh tokens travel in this cookie.
    pub fn new(sessions: &Sessions<C>, cookie: RefreshCookie) -> Self {
        Self { endpoint: Endpoint::new(sessions, cookie) }
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
        self.endpoint.call(&request, Replies::reject_without_token, |call| async move {
            match call.sessions.refresh_one_of(call.tokens, &call.client).await {
                Ok(tokens) => tokens.into_token_response(&call.replies.cookie),
                Err(error) => call.replies.reject_refresh(error),
            }
        })
    }
}

impl<C> Clone for RefreshService<C> {
    fn clone(&self) -> Self {
        Self { endpoint: self.endpoint.clone() }
    }
}
