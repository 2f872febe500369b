use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::Clock as _;
use tower_service::Service;

use super::body::AuthBody;
use super::decision::{Anonymous, AuthConfig, Decision, Preflight, mark_sensitive};
use super::future::{ResponseFuture, rejection};
use super::pending::{decide_later, query_store};
use crate::http::challenge::takes_body;
use crate::identity::Identity;

/// The service that [`JwtAuthLayer`](super::JwtAuthLayer) creates around the service `S`.
///
/// # Examples
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Empty;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_jwt_auth::{Issuer, JwtAuthLayer, RevocationList, SigningKey, Verifier};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let layer = JwtAuthLayer::new(Verifier::new(&issuer), RevocationList::none());
/// let service = layer.layer(service_fn(async |_: Request<()>| {
///     Ok::<_, std::convert::Infallible>(Response::new(Empty::<bytes::Bytes>::new()))
/// }));
/// let response = service.oneshot(Request::new(())).await?;
/// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct JwtAuth<S, C = ()> {
    inner: S,
    config: Arc<AuthConfig<C>>,
}

impl<S, C> JwtAuth<S, C> {
    pub(super) fn new(inner: S, config: AuthConfig<C>) -> Self {
        Self { inner, config: Arc::new(config) }
    }
}

impl<S: Clone, C> JwtAuth<S, C> {
    /// Takes the service that was polled ready, and leaves a clone that was not.
    fn take_ready(&mut self) -> S {
        let clone = self.inner.clone();
        mem::replace(&mut self.inner, clone)
    }
}

impl<S, C, ReqBody, ResBody> Service<Request<ReqBody>> for JwtAuth<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    C: DeserializeOwned + Send + Sync + 'static,
{
    type Response = Response<AuthBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let (decision, caching) = self.config.decide(&request, self.config.clock.now());
        mark_sensitive(request.headers_mut());
        // Removes the results of outer layers: only this layer vouches for the request. An accepted identity replaces
        // that of an outer layer below.
        if !matches!(decision, Decision::Accept(_)) {
            request.extensions_mut().remove::<Identity>();
        }
        request.extensions_mut().remove::<Anonymous>();
        request.extensions_mut().remove::<Preflight>();
        match decision {
            Decision::Accept(mut identity) => {
                identity.set_challenge(&self.config.challenge);
                request.extensions_mut().insert(identity);
                ResponseFuture::inner(self.inner.call(request), caching)
            }
            Decision::AcceptAnonymous => {
                let challenge = self.config.challenge.clone();
                request.extensions_mut().insert(Anonymous { challenge });
                ResponseFuture::inner(self.inner.call(request), caching)
            }
            Decision::AcceptPreflight => {
                let challenge = self.config.challenge.clone();
                request.extensions_mut().insert(Preflight { challenge });
                ResponseFuture::inner(self.inner.call(request), caching)
            }
            Decision::Reject(error) => {
                // A concurrency limit has reserved a permit for this request. Dropping the ready service releases it.
                drop(self.take_ready());
                let with_body = takes_body(request.headers());
                let response = rejection(error, &self.config.challenge, with_body);
                ResponseFuture::rejected(response, caching)
            }
            Decision::Wait(waiting) => {
                // Forged tokens may wait. They must not hold the permits of a limit inside.
                drop(self.take_ready());
                let decision = Box::pin(decide_later(Arc::clone(&self.config), waiting));
                let challenge = self.config.challenge.clone();
                let service = (self.inner.clone(), false);
                ResponseFuture::pending(decision, challenge, service, request, caching)
            }
            Decision::QueryStore(identity) => {
                let decision = Box::pin(query_store(self.config.revocations.clone(), identity));
                let challenge = self.config.challenge.clone();
                let service = (self.take_ready(), true);
                ResponseFuture::pending(decision, challenge, service, request, caching)
            }
        }
    }
}

impl<S: Clone, C> Clone for JwtAuth<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), config: Arc::clone(&self.config) }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for JwtAuth<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuth").field("inner", &self.inner).finish_non_exhaustive()
    }
}
