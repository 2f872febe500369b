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

/// The maximum number of requests that one endpoint works on at a time. The response is 503 beyond it.
///
/// Requests whose client has left count: no limit around the service sees them.
const MAX_IN_FLIGHT: usize = 4096;

/// What the endpoints for refresh tokens share: the request is judged here, up to the tokens in its cookies, and the
/// operation runs in a task of its own.
pub(super) struct Endpoint<C> {
    sessions: Sessions<C>,
    replies: Arc<Replies>,
    permits: Arc<Semaphore>,
}

/// A request whose origin and cookies have been checked, for an operation.
pub(super) struct Call<C> {
    pub(super) sessions: Sessions<C>,
    pub(super) replies: Arc<Replies>,
    pub(super) tokens: Vec<VerifiedRefreshToken>,
    pub(super) client: ClientInfo,
}

impl<C> Endpoint<C> {
    pub(super) fn new(sessions: &Sessions<C>, cookie: RefreshCookie) -> Self {
        let origins = OriginPolicy::same_origin();
        Self {
            sessions: sessions.clone(),
            replies: Arc::new(Replies { cookie, origins, realm: Realm::default() }),
            permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        }
    }

    pub(super) fn set_realm(&mut self, realm: &str) -> Result<(), ConfigError> {
        Arc::make_mut(&mut self.replies).realm = Realm::new(realm)?;
        Ok(())
    }

    pub(super) fn set_origins(&mut self, origins: OriginPolicy) {
        Arc::make_mut(&mut self.replies).origins = origins;
    }
}

impl<C> Endpoint<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Checks the method, the origin and the cookies, in this order, and runs the operation with the refresh tokens
    /// that the cookies carry. `without_token` returns the response where they carry none.
    pub(super) fn call<B, F>(
        &self,
        request: &Request<B>,
        without_token: impl FnOnce(&Replies, &[&[u8]]) -> Response<Full<Bytes>>,
        operation: impl FnOnce(Call<C>) -> F,
    ) -> EndpointFuture
    where
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let (replies, headers) = (&self.replies, request.headers());
        if request.method() != Method::POST {
            return EndpointFuture::ready(replies.method_not_allowed());
        }
        if let Err(cross_site) = replies.origins.check(headers, request.uri()) {
            return EndpointFuture::ready(replies.reject(cross_site.into()));
        }
        let cookies = replies.cookie.values(headers);
        let tokens = self.sessions.verify_tokens(cookies.iter().copied());
        if tokens.is_empty() {
            return EndpointFuture::ready(without_token(replies, &cookies));
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return EndpointFuture::ready(replies.reject(AuthError::Unavailable));
        };
        let operation = operation(Call {
            sessions: self.sessions.clone(),
            replies: Arc::clone(replies),
            tokens,
            client: client_info(headers),
        });
        let running = self.sessions.spawn(async move {
            let response = operation.await;
            drop(permit);
            response
        });
        EndpointFuture::running(running, Arc::clone(replies))
    }
}

impl<C> Clone for Endpoint<C> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            replies: Arc::clone(&self.replies),
            permits: Arc::clone(&self.permits),
        }
    }
}

impl<C> fmt::Debug for Endpoint<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("replies", &self.replies).finish_non_exhaustive()
    }
}

/// The client of a request.
fn client_info(headers: &HeaderMap) -> ClientInfo {
    // A client without a user agent differs from one that sends it.
    ClientInfo::default().with_user_agent(user_agent(headers).unwrap_or_default())
}

/// The settings of an endpoint, and its responses other than success.
#[derive(Clone, Debug)]
pub(super) struct Replies {
    pub(super) cookie: RefreshCookie,
    origins: OriginPolicy,
    realm: Realm,
}

impl Replies {
    fn method_not_allowed(&self) -> Response<Full<Bytes>> {
        let mut response = no_store(StatusCode::METHOD_NOT_ALLOWED, Full::default());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        response
    }

    pub(super) fn reject(&self, error: AuthError) -> Response<Full<Bytes>> {
        tracing::debug!(status = error.status().as_u16(), reason = %error, "rejected a request");
        error.endpoint_response(&self.realm)
    }

    /// The response to a refresh without a result. The cookie stays: a late 401 for an old session must not clear the
    /// cookie of a new one.
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

    /// The response to a refresh token that is not accepted.
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

    /// The response to a request whose cookies carry no refresh token of this issuer.
    pub(super) fn reject_without_token(&self, cookies: &[&[u8]]) -> Response<Full<Bytes>> {
        match cookies.is_empty() {
            true => self.reject(AuthError::Missing),
            false => self.reject_token(RefreshRejection::Invalid),
        }
    }

    /// Rejects the request and leaves the client no generation behind.
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
