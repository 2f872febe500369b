use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use pin_project_lite::pin_project;

use crate::auth::body::AuthBody;
use crate::auth::future::polled_after_completion;

pin_project! {
    /// The response future of [`Require`](super::Require).
    ///
    /// # Panics
    ///
    /// Polling it after completion panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::Service;
    /// use tower_jwt_auth::RequireScopeLayer;
    /// use tower_jwt_auth::auth::require::{Require, ResponseFuture};
    ///
    /// /// A service that contains `Require` names its future without a box.
    /// fn call<S>(
    ///     service: &mut Require<S, RequireScopeLayer>,
    ///     request: Request<()>,
    /// ) -> ResponseFuture<S::Future>
    /// where
    ///     S: Service<Request<()>, Response = Response<()>> + Clone,
    /// {
    ///     service.call(request)
    /// }
    /// ```
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProjection]
    enum State<F> {
        Inner { #[pin] future: F },
        Rejected { response: Option<Response<Option<Bytes>>> },
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn inner(future: F) -> Self {
        Self { state: State::Inner { future } }
    }

    pub(super) fn rejected(response: Response<Option<Bytes>>) -> Self {
        Self { state: State::Rejected { response: Some(response) } }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<AuthBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(AuthBody::inner)))
            }
            StateProjection::Rejected { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(AuthBody::rejection))),
                None => polled_after_completion(),
            },
        }
    }
}
