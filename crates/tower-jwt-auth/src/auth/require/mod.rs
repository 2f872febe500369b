//! Layers inside of a [`JwtAuthLayer`](super::JwtAuthLayer) that require more than a valid token: a scope, a recent
//! login or a predicate.

mod any_scope;
mod fresh_login;
mod future;
mod predicate;
mod scope;

use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

pub use self::any_scope::RequireAnyScopeLayer;
pub use self::fresh_login::RequireFreshLoginLayer;
pub use self::future::ResponseFuture;
pub use self::predicate::RequireLayer;
pub use self::scope::RequireScopeLayer;

use super::body::AuthBody;
use super::decision::reject_without_identity;
use super::future::rejection;
use crate::http::challenge::{AuthError, Challenge, takes_body};
use crate::identity::Identity;

/// A condition that an identity must meet: a pure function of the identity, which knows the time of its request.
trait Requirement {
    /// The name of the layer, for the error if it is outside of a `JwtAuthLayer`.
    const LAYER: &'static str;

    fn check(&self, identity: &Identity) -> Result<(), AuthError>;
}

/// The service that a requirement layer `R` creates around the service `S`.
///
/// Without an identity the response is 401 for an anonymous request. It is 500 if there is no
/// [`JwtAuthLayer`](super::JwtAuthLayer) around the layer, so that an unprotected route is noticed. A CORS preflight
/// that [`allow_preflights`](super::JwtAuthLayer::allow_preflights) accepts has no identity either, and its response is
/// 401: put the layer that answers preflights outside of the requirement.
///
/// # Examples
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Empty;
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_jwt_auth::RequireScopeLayer;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = ServiceBuilder::new().layer(RequireScopeLayer::new("admin")?).service_fn(
///     async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(Empty::<bytes::Bytes>::new())),
/// );
/// // No JwtAuthLayer is around it.
/// let response = service.oneshot(Request::new(())).await?;
/// assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Require<S, R> {
    inner: S,
    requirement: R,
}

#[allow(private_bounds)]
impl<S, R: Requirement> Require<S, R> {
    fn new(inner: S, requirement: R) -> Self {
        Self { inner, requirement }
    }

    fn check<B>(&self, request: &Request<B>) -> Result<(), (AuthError, Challenge)> {
        let extensions = request.extensions();
        if let Some(identity) = extensions.get::<Identity>() {
            let unmet = |error| (error, identity.challenge().clone());
            return self.requirement.check(identity).map_err(unmet);
        }
        Err(reject_without_identity(extensions, R::LAYER))
    }
}

#[allow(private_bounds)]
impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for Require<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    R: Requirement,
{
    type Response = Response<AuthBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.check(&request) {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err((error, challenge)) => {
                // As in `JwtAuth`: the service that was polled ready for this request is dropped.
                self.inner = self.inner.clone();
                let with_body = takes_body(request.headers());
                ResponseFuture::rejected(rejection(error, &challenge, with_body))
            }
        }
    }
}
