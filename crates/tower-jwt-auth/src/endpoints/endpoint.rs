use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tower_jwt_auth_core::ClientInfo;

use super::RefreshCookie;
use super::future::EndpointFuture;
use super::sign_in::user_agent;
use super::token_response::no_store;
use crate::error::{ConfigError, TokenError};
use crate::http::challenge::{AuthError, Realm};
use crate::http::origin::OriginPolicy;
use crate::refresh_token::{RefreshToken, VerifiedRefreshToken};
use crate::sessions::{RefreshError, RefreshRejection, Sessions};

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
        let origins = OriginPolicy::same_origin();
        Self {
            sessions: sessions.clone(),
            responder: Arc::new(Responder { cookie, origins, realm: Realm::default() }),
            permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        }
    }

    pub(super) fn set_realm(&mut self, realm: &str) -> Result<(), ConfigError> {
        Arc::make_mut(&mut self.responder).realm = Realm::new(realm)?;
        Ok(())
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
            return EndpointFuture::ready(responder.method_not_allowed());
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

/// Creates the responses of an endpoint, according to its settings.
#[derive(Clone, Debug)]
pub(super) struct Responder {
    pub(super) cookie: RefreshCookie,
    origins: OriginPolicy,
    realm: Realm,
}

impl Responder {
    fn method_not_allowed(&self) -> Response<Full<Bytes>> {
        let mut response = no_store(StatusCode::METHOD_NOT_ALLOWED, Full::default());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        response
    }

    pub(super) fn reject(&self, error: AuthError) -> Response<Full<Bytes>> {
        tracing::debug!(status = error.status().as_u16(), reason = %error, "rejected a request");
        error.endpoint_response(&self.realm)
    }

    /// Creates the response to a failed refresh. It does not clear the cookie: a late 401 for an old session must not
    /// clear the cookie of a new one.
    pub(super) fn reject_refresh(&self, error: RefreshError) -> Response<Full<Bytes>> {
        match error {
            RefreshError::Rejected(rejection) => self.reject_token(rejection),
            RefreshError::Unavailable { source, successor } => {
                tracing::warn!(
                    error = &*source as &dyn std::error::Error,
                    "a session cannot be refreshed at the moment"
                );
                self.reject_with_successor(AuthError::Unavailable, successor.as_ref())
            }
            RefreshError::Failed { source, successor } => {
                tracing::error!(
                    error = &*source as &dyn std::error::Error,
                    "a session cannot be refreshed"
                );
                self.reject_with_successor(AuthError::Failed, successor.as_ref())
            }
        }
    }

    /// Creates the response to a refresh token that is not accepted.
    pub(super) fn reject_token(&self, rejection: RefreshRejection) -> Response<Full<Bytes>> {
        tracing::debug!(reason = %rejection, "rejected a refresh token");
        let mut response = self.reject(AuthError::Token(match rejection {
            RefreshRejection::Expired | RefreshRejection::Idle => TokenError::Expired,
            RefreshRejection::Invalid => TokenError::Signature,
            _ => TokenError::Revoked,
        }));
        response.extensions_mut().insert(rejection);
        response
    }

    /// Creates the response to a request without a valid refresh token.
    pub(super) fn reject_without_token(&self, cookies: &[&[u8]]) -> Response<Full<Bytes>> {
        match cookies.is_empty() {
            true => self.reject(AuthError::Missing),
            false => self.reject_token(RefreshRejection::Invalid),
        }
    }

    /// Creates an error response that sets the successor, if there is one. The client would otherwise retry with a
    /// spent token.
    fn reject_with_successor(
        &self,
        error: AuthError,
        successor: Option<&RefreshToken>,
    ) -> Response<Full<Bytes>> {
        let mut response = self.reject(error);
        if let Some(cookies) = successor.and_then(|successor| self.cookie.set(successor)) {
            set_cookies(response.headers_mut(), cookies);
        }
        response
    }
}

pub(super) fn set_cookies(headers: &mut HeaderMap, cookies: Vec<HeaderValue>) {
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
}
