//! The services without authentication.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response};
use tower::{Layer, Service, service_fn};

use super::Row;
use crate::case::{Case, ServiceCase};

/// A layer that passes requests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoopLayer;

impl<S> Layer<S> for NoopLayer {
    type Service = Noop<S>;

    fn layer(&self, inner: S) -> Noop<S> {
        Noop { inner }
    }
}

/// The service of [`NoopLayer`].
#[derive(Clone, Debug)]
pub(crate) struct Noop<S> {
    inner: S,
}

impl<S: Service<R>, R> Service<R> for Noop<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.inner.call(request)
    }
}

/// The response of the inner service: 200 and an empty body.
pub(crate) type InnerFuture = Ready<Result<Response<Body>, Infallible>>;

/// Returns the service that all candidates are around.
pub(crate) fn inner()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = InnerFuture>
+ Clone
+ Send
+ 'static {
    service_fn(|_: Request<Body>| ready(Ok(Response::new(Body::empty()))))
}

/// Returns the router that candidates are around which need axum.
pub(crate) fn router() -> Router {
    Router::new().route("/", get(async || {}))
}

pub(super) fn case(row: Row) -> Box<dyn Case> {
    match row {
        Row::Noop => Box::new(ServiceCase::new(NoopLayer.layer(inner()))),
        Row::RouterNoAuth => Box::new(ServiceCase::new(router())),
        Row::RouterNoop => Box::new(ServiceCase::new(router().layer(NoopLayer))),
        _ => Box::new(ServiceCase::new(inner())),
    }
}
