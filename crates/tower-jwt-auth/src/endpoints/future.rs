use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::task::JoinHandle;

use super::responder::Responder;
use crate::http::challenge::AuthError;

/// The response future of [`RefreshService`](super::RefreshService) and [`LogoutService`](super::LogoutService).
///
/// Dropping it does not stop the operation. A tab that closes does not cancel its logout, and a thief who disconnects
/// does not prevent the end of a session for reuse.
///
/// # Panics
///
/// Polling it after completion panics.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, StatusCode};
/// use http_body_util::Empty;
/// use tower_jwt_auth::endpoints::EndpointFuture;
/// use tower_jwt_auth::{
///     Issuer, LogoutService, MemoryStore, RefreshCookie, RefreshSecrets, Sessions, SigningKey,
/// };
/// use tower_service::Service;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// # let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
/// let mut logout = LogoutService::this_session(&sessions, RefreshCookie::host());
/// let request = Request::post("https://shop.example/auth/logout")
///     .header("sec-fetch-site", "same-origin")
///     .body(Empty::<Bytes>::new())?;
/// let response: EndpointFuture = logout.call(request);
/// assert_eq!(response.await?.status(), StatusCode::NO_CONTENT);
/// # Ok(())
/// # }
/// ```
pub struct EndpointFuture {
    state: State,
}

enum State {
    Ready(Option<Response<Full<Bytes>>>),
    Running { operation: JoinHandle<Response<Full<Bytes>>>, responder: Arc<Responder> },
}

impl EndpointFuture {
    pub(super) fn ready(response: Response<Full<Bytes>>) -> Self {
        Self { state: State::Ready(Some(response)) }
    }

    pub(super) fn running(
        operation: JoinHandle<Response<Full<Bytes>>>,
        responder: Arc<Responder>,
    ) -> Self {
        Self { state: State::Running { operation, responder } }
    }
}

impl Future for EndpointFuture {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Ready(response) => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => panic!("`EndpointFuture` polled after completion"),
            },
            State::Running { operation, responder } => Pin::new(operation).poll(cx).map(|result| {
                Ok(result.unwrap_or_else(|error| {
                    if error.is_panic() {
                        tracing::error!("the code of the store or of the hook panicked");
                        responder.reject(AuthError::Failed)
                    } else {
                        // The runtime shuts down.
                        responder.reject(AuthError::Unavailable)
                    }
                }))
            }),
        }
    }
}

impl fmt::Debug for EndpointFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointFuture").finish_non_exhaustive()
    }
}
