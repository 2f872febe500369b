use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::AuthBody;
use super::caching::Caching;
use crate::error::TokenError;
use crate::http::challenge::{AuthError, Challenge, takes_body};
use crate::identity::Identity;

/// A decision that waits for the store or for keys.
type PendingDecision = Pin<Box<dyn Future<Output = Result<Identity, AuthError>> + Send>>;

pin_project! {
    /// The response future of [`JwtAuth`](super::JwtAuth).
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
    /// use tower_jwt_auth::auth::{JwtAuth, ResponseFuture};
    ///
    /// /// A service that contains `JwtAuth` names its future without a box.
    /// fn call<S>(service: &mut JwtAuth<S>, request: Request<()>) -> ResponseFuture<S, ()>
    /// where
    ///     S: Service<Request<()>, Response = Response<()>> + Clone,
    /// {
    ///     service.call(request)
    /// }
    /// ```
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
        /// The inner service handles the request.
        Inner { #[pin] future: F },
        /// The request is rejected.
        Rejected { response: Option<Response<RejectionBody>> },
        /// The decision waits, with the request and its service.
        Pending {
            decision: PendingDecision,
            challenge: Challenge,
            waiting: Option<(S, Request<ReqBody>)>,
            is_ready: bool,
        },
        /// The request is accepted, and the service must be polled ready.
        Accepted { waiting: Option<(S, Request<ReqBody>)> },
    }
}

/// The body of a rejection, whatever the type of the inner service's body.
type RejectionBody = Option<bytes::Bytes>;

impl<S, ReqBody> ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn inner(future: S::Future, caching: Caching) -> Self {
        Self { state: State::Inner { future }, caching }
    }

    pub(super) fn rejected(response: Response<RejectionBody>, caching: Caching) -> Self {
        Self { state: State::Rejected { response: Some(response) }, caching }
    }

    /// Creates the future of a request whose decision waits. `is_ready` if the service has been polled ready.
    pub(super) fn pending(
        decision: PendingDecision,
        challenge: Challenge,
        (service, is_ready): (S, bool),
        request: Request<ReqBody>,
        caching: Caching,
    ) -> Self {
        let waiting = Some((service, request));
        Self { state: State::Pending { decision, challenge, waiting, is_ready }, caching }
    }
}

/// Panics, as futures of the standard library and of tower do if they are polled after completion.
#[cold]
pub(super) fn polled_after_completion() -> ! {
    panic!("`ResponseFuture` polled after completion")
}

/// Logs the rejection of a request, and returns its response.
pub(super) fn rejection(
    error: AuthError,
    challenge: &Challenge,
    with_body: bool,
) -> Response<RejectionBody> {
    let status = error.status().as_u16();
    match &error {
        // The issuer has signed the token: the application's type or the issuer's claims are at fault.
        AuthError::Token(TokenError::Claims { field }) => {
            tracing::warn!(
                status,
                field,
                "the claims of a token do not fit the application's type"
            );
        }
        _ => tracing::debug!(status, reason = %error, "rejected a request"),
    }
    error.response(challenge, with_body)
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
                    caching.apply(response.headers_mut());
                    return Poll::Ready(Ok(response.map(AuthBody::inner)));
                }
                StateProjection::Rejected { response } => {
                    let Some(mut response) = response.take() else { polled_after_completion() };
                    caching.apply(response.headers_mut());
                    return Poll::Ready(Ok(response.map(AuthBody::rejection)));
                }
                StateProjection::Pending { decision, challenge, waiting, is_ready } => {
                    let decision = ready!(decision.as_mut().poll(cx));
                    let Some((mut service, mut request)) = waiting.take() else {
                        polled_after_completion()
                    };
                    match decision {
                        Ok(mut identity) => {
                            identity.set_challenge(challenge);
                            request.extensions_mut().insert(identity);
                            if *is_ready {
                                State::Inner { future: service.call(request) }
                            } else {
                                State::Accepted { waiting: Some((service, request)) }
                            }
                        }
                        Err(error) => {
                            let with_body = takes_body(request.headers());
                            let response = Some(rejection(error, challenge, with_body));
                            State::Rejected { response }
                        }
                    }
                }
                StateProjection::Accepted { waiting } => {
                    let Some((service, _)) = waiting else { polled_after_completion() };
                    ready!(service.poll_ready(cx))?;
                    let Some((mut service, request)) = waiting.take() else {
                        polled_after_completion()
                    };
                    State::Inner { future: service.call(request) }
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
