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
type StoreQuery = Pin<Box<dyn Future<Output = Result<Identity, AuthError>> + Send>>;

pin_project! {
    /// The response of [`JwtAuth`](super::JwtAuth).
    pub struct ResponseFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, S::Future>,
        caching: Caching,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, ReqBody, F> {
        /// The request went on.
        Inner { #[pin] future: F },
        /// The request was refused at once.
        Refused { response: Option<Response<Refusal>> },
        /// The store is being asked; the service was polled ready and waits with its request.
        Querying {
            decision: StoreQuery,
            realm: Realm,
            ready: Option<(S, Request<ReqBody>)>,
        },
    }
}

/// The body of a refusal, whatever the inner service's is.
type Refusal = Option<bytes::Bytes>;

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn inner(future: S::Future, caching: Caching) -> Self {
        Self { state: State::Inner { future }, caching }
    }

    pub(super) fn refused(response: Response<Refusal>, caching: Caching) -> Self {
        Self { state: State::Refused { response: Some(response) }, caching }
    }

    pub(super) fn querying(
        decision: StoreQuery,
        realm: Realm,
        service: S,
        request: Request<ReqBody>,
        caching: Caching,
    ) -> Self {
        let ready = Some((service, request));
        Self { state: State::Querying { decision, realm, ready }, caching }
    }
}

/// Panics as the futures of the standard library and of tower do: the caller has polled a future once more after its
/// result.
#[cold]
pub(super) fn polled_after_completion() -> ! {
    panic!("`ResponseFuture` polled after completion")
}

/// The response to a request that is refused, and a word about it for the log.
pub(super) fn refusal(error: AuthError, realm: &Realm, with_body: bool) -> Response<Refusal> {
    tracing::debug!(status = error.status().as_u16(), reason = %error, "refused a request");
    error.response(realm, with_body)
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
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
                    let Some(mut response) = response.take() else { polled_after_completion() };
                    caching.mark(response.headers_mut());
                    return Poll::Ready(Ok(response.map(AuthBody::refusal)));
                }
                StateProjection::Querying { decision, realm, ready } => {
                    let decision = ready!(decision.as_mut().poll(cx));
                    let Some((mut service, mut request)) = ready.take() else {
                        polled_after_completion()
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

impl<S, ReqBody> fmt::Debug for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
