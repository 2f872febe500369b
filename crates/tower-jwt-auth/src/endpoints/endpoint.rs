use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tower_jwt_auth_core::ClientInfo;

use super::cookie::RefreshCookie;
use super::future::EndpointFuture;
use super::headers::method_not_allowed;
use super::responder::Responder;
use super::sign_in::user_agent;
use crate::error::ConfigError;
use crate::http::challenge::AuthError;
use crate::http::origin::OriginPolicy;
use crate::refresh_token::VerifiedRefreshToken;
use crate::sessions::Sessions;

/// The maximum number of requests in flight per endpoint. Further requests receive a 503.
///
/// Requests whose client has left are included. A concurrency limit around the service does not see them.
const MAX_IN_FLIGHT: usize = 4096;

/// The common part of the endpoints for refresh tokens: checks the request and its cookies, and runs the operation in a
/// separate task.
pub(super) struct Endpoint<C> {
    sessions: Sessions<C>,
    responder: Arc<Responder>,
    permits: Arc<Semaphore>,
}

/// A request whose method, origin and cookies have been checked.
pub(super) struct Call<C> {
    pub(super) sessions: Sessions<C>,
    pub(super) responder: Arc<Responder>,
    pub(super) tokens: Vec<VerifiedRefreshToken>,
    pub(super) client: ClientInfo,
}

impl<C> Endpoint<C> {
    pub(super) fn new(sessions: &Sessions<C>, cookie: RefreshCookie) -> Self {
        Self {
            sessions: sessions.clone(),
            responder: Arc::new(Responder::new(cookie)),
            permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        }
    }

    pub(super) fn set_realm(&mut self, realm: &str) -> Result<(), ConfigError> {
        Arc::make_mut(&mut self.responder).challenge.set_realm(realm)
    }

    pub(super) fn set_origins(&mut self, origins: OriginPolicy) {
        Arc::make_mut(&mut self.responder).origins = origins;
    }
}

impl<C> Endpoint<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Checks the method, the origin and the cookies, in this order, and runs the operation with the refresh tokens
    /// that the cookies carry. `without_token` returns the response if they carry none.
    pub(super) fn call<B, F>(
        &self,
        request: &Request<B>,
        without_token: impl FnOnce(&Responder, &[&[u8]]) -> Response<Full<Bytes>>,
        operation: impl FnOnce(Call<C>) -> F,
    ) -> EndpointFuture
    where
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let (responder, headers) = (&self.responder, request.headers());
        if request.method() != Method::POST {
            return EndpointFuture::ready(method_not_allowed(request.method(), "POST"));
        }
        if let Err(cross_site) = responder.origins.check(headers, request.uri()) {
            return EndpointFuture::ready(responder.reject(cross_site.into()));
        }
        let cookies = responder.cookie.values(headers);
        let tokens = self.sessions.verify_tokens(cookies.iter().copied());
        if tokens.is_empty() {
            return EndpointFuture::ready(without_token(responder, &cookies));
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            tracing::warn!(max = MAX_IN_FLIGHT, "too many requests are in flight");
            return EndpointFuture::ready(responder.reject(AuthError::Unavailable));
        };
        let operation = operation(Call {
            sessions: self.sessions.clone(),
            responder: Arc::clone(responder),
            tokens,
            client: client_info(headers),
        });
        let running = self.sessions.spawn(async move {
            let response = operation.await;
            drop(permit);
            response
        });
        EndpointFuture::running(running, Arc::clone(responder))
    }
}

impl<C> Clone for Endpoint<C> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            responder: Arc::clone(&self.responder),
            permits: Arc::clone(&self.permits),
        }
    }
}

impl<C> fmt::Debug for Endpoint<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("responder", &self.responder).finish_non_exhaustive()
    }
}

/// Returns the client of a request.
fn client_info(headers: &HeaderMap) -> ClientInfo {
    // A missing user agent differs from that of the session.
    ClientInfo::default().with_user_agent(user_agent(headers).unwrap_or_default())
}
