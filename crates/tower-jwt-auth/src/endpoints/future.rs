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

use super::endpoint::Replies;
use crate::http::challenge::AuthError;

/// The response of [`RefreshService`](super::RefreshService) and [`LogoutService`](super::LogoutService).
///
/// An operation completes although its client leaves: a closing tab does not undo its logout, and a thief who
/// disconnects does not undo the end of a session for reuse.
pub struct EndpointFuture {
    state: State,
}

enum State {
    Ready(Option<Response<Full<Bytes>>>),
    Running { operation: JoinHandle<Response<Full<Bytes>>>, replies: Arc<Replies> },
}

impl EndpointFuture {
    pub(super) fn ready(response: Response<Full<Bytes>>) -> Self {
        Self { state: State::Ready(Some(response)) }
    }

    pub(super) fn running(
        operation: JoinHandle<Response<Full<Bytes>>>,
        replies: Arc<Replies>,
    ) -> Self {
        Self { state: State::Running { operation, replies } }
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
            State::Running { operation, replies } => Pin::new(operation).poll(cx).map(|result| {
                Ok(result.unwrap_or_else(|error| {
                    if error.is_panic() {
                        tracing::error!("the code of the store or of the hook panicked");
                        replies.reject(AuthError::Failed)
                    } else {
                        // The runtime shuts down.
                        replies.reject(AuthError::Unavailable)
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
