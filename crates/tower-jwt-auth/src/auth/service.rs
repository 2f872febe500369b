use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::Clock as _;
use tower_service::Service;

use super::body::AuthBody;
use super::decision::{Anonymous, AuthConfig, Decision, Preflight, mark_sensitive, query_store};
use super::future::{ResponseFuture, refusal};
use crate::http::challenge::takes_body;
use crate::identity::Identity;

/// The service that [`JwtAuthLayer`](super::JwtAuthLayer) makes of another one.
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
    /// Takes out the service that was polled ready, and leaves one that was not.
    fn take_ready(&mut self) -> S {
        let fresh = self.inner.clone();
        mem::replace(&mut self.inner, fresh)
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
        // What a layer outside of this one put in is not this one's word.
        request.extensions_mut().remove::<Identity>();
        request.extensions_mut().remove::<Anonymous>();
        request.extensions_mut().remove::<Preflight>();
        match decision {
            Decision::Accept(mut identity) => {
                identity.set_realm(&self.config.realm);
                request.extensions_mut().insert(identity);
                ResponseFuture::inner(self.inner.call(request), caching)
            }
            Decision::AcceptAnonymous => {
                let realm = self.config.realm.clone();
                request.extensions_mut().insert(Anonymous { realm });
                ResponseFuture::inner(self.inner.call(request), caching)
            }
            Decision::Pass => {
                let realm = self.config.realm.clone();
                request.extensions_mut().insert(Preflight { realm });
                ResponseFuture::inner(self.inner.call(request), caching)
            }
            Decision::Refuse(error) => {
                // What was made ready for this request must not stay reserved: a concurrency limit counts it.
                drop(self.take_ready());
                let with_body = takes_body(request.headers());
                let response = refusal(error, &self.config.realm, with_body);
                ResponseFuture::refused(response, caching)
            }
            Decision::QueryStore(mut identity) => {
                identity.set_realm(&self.config.realm);
                let decision = Box::pin(query_store(self.config.revocations.clone(), identity));
                let realm = self.config.realm.clone();
                ResponseFuture::querying(decision, realm, self.take_ready(), request, caching)
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
