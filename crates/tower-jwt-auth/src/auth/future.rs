use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::AuthBody;
use super::caching::Caching;
use crate::http::challenge::{AuthError, Realm, takes_body};
use crate::identity::Identity;

/// A decision that waits for the store.
type Asking<C> = Pin<Box<dyn Future<Output = Result<Identity<C>, AuthError>> + Send>>;

pin_project! {
    /// The response of [`JwtAuth`](super::JwtAuth).
    pub struct ResponseFuture<S, ReqBody, C>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, C, S::Future>,
        caching: Caching,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, ReqBody, C, F> {
        /// The request went on.
        Inner { #[pin] future: F },
        /// The request was refused at once.
        Refused { response: Option<Response<Refusal>> },
        /// The store is being asked; the service was polled ready and waits with its request.
        Asking {
            decision: Asking<C>,
            realm: Realm,
            ready: Option<(S, Request<ReqBody>)>,
        },
    }
}

/// The body of a refusal, whatever the inner service's is.
type Refusal = Option<bytes::Bytes>;

impl<S, ReqBody, C> ResponseFuture<S, ReqBody, C>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn inner(future: S::Future, caching: Caching) -> Self {
        Self { state: State::Inner { future }, caching }
    }

    pub(super) fn refused(response: Response<Refusal>, caching: Caching) -> Self {
        Self { state: State::Refused { response: Some(response) }, caching }
    }

    pub(super) fn asking(
        decision: Asking<C>,
        realm: Realm,
        service: S,
        request: Request<ReqBody>,
        caching: Caching,
    ) -> Self {
        let ready = Some((service, request));
        Self { state: State::Asking { decision, realm, ready }, caching }
    }
}

/// The response to a request that is refused, and a word about it for the log.
pub(super) fn refusal(error: AuthError, realm: &Realm, with_body: bool) -> Response<Refusal> {
    tracing::debug!(status = error.status().as_u16(), reason = %error, "refused a request");
    error.response(realm, with_body)
}

impl<S, ReqBody, ResBody, C> Future for ResponseFuture<S, ReqBody, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    C: Send + Sync + 'static,
{
    type Output = Result<Response<AuthBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut state, caching) = (this.state, *this.caching);
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { future } => {
                    let mut response = ready!(future.poll(cx))?;
                    caching.mark(response.headers_mut());
                    return Poll::Ready(Ok(response.map(AuthBody::inner)));
                }
                StateProjection::Refused { response } => {
                    // Polling a future that has given its answer is a mistake of the caller's; this one
                    // then waits for ever instead of answering again.
                    let Some(mut response) = response.take() else { return Poll::Pending };
                    caching.mark(response.headers_mut());
                    return Poll::Ready(Ok(response.map(AuthBody::refusal)));
                }
                StateProjection::Asking { decision, realm, ready } => {
                    let decision = ready!(decision.as_mut().poll(cx));
                    let Some((mut service, mut request)) = ready.take() else {
                        return Poll::Pending;
                    };
                    match decision {
                        Ok(identity) => {
                            request.extensions_mut().insert(identity);
                            State::Inner { future: service.call(request) }
                        }
                        Err(error) => {
                            let with_body = takes_body(request.headers());
                            let response = Some(refusal(error, realm, with_body));
                            State::Refused { response }
                        }
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S, ReqBody, C> fmt::Debug for ResponseFuture<S, ReqBody, C>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
