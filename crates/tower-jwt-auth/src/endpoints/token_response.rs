use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use http_body_util::Full;
use serde::Serialize;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use super::RefreshCookie;
use crate::error::TokenError;
use crate::http::challenge::{AuthError, Realm};
use crate::http::origin::OriginPolicy;
use crate::refresh_token::RefreshToken;
use crate::sessions::{RefreshError, RefreshRejection, Sessions, Tokens, Work};

/// The answer to a login or refresh, in the form of RFC 6749 §5.1.
#[derive(Serialize)]
struct TokenAnswer<'t> {
    access_token: &'t str,
    token_type: &'static str,
    expires_in: u64,
}

impl Tokens {
    /// The answer to a login: the access token as JSON, the refresh token as this cookie, never to be cached.
    /// Cookies in [former scopes](RefreshCookie::also_clear) are cleared.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SigningKey};
    /// use tower_jwt_auth::{RefreshCookie, SignIn};
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// # let sessions = Sessions::<()>::new(issuer, RefreshSecrets::generate()?, MemoryStore::new())?;
    /// let tokens = sessions.start(SignIn::new("alice", ())).await?;
    /// let response = tokens.into_response(&RefreshCookie::host());
    /// assert_eq!(response.headers()["cache-control"], "no-store");
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_response(self, cookie: &RefreshCookie) -> Response<Full<Bytes>> {
        let answer = TokenAnswer {
            access_token: self.access.as_str(),
            token_type: "Bearer",
            expires_in: self.access.expires_in().as_secs(),
        };
        let (Ok(json), Some(cookies)) = (serde_json::to_vec(&answer), cookie.set(&self.refresh))
        else {
            tracing::error!("tokens could not be put into an answer");
            return AuthError::Failed.into_response();
        };
        let mut response = Response::new(Full::new(Bytes::from(json)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        set_cookies(headers, cookies);
        response
    }
}

/// What the endpoints have in common: who may call, how, and what errors look like.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) cookie: RefreshCookie,
    pub(super) origins: OriginPolicy,
    pub(super) realm: Realm,
}

impl Endpoint {
    pub(super) fn new(cookie: RefreshCookie) -> Self {
        Self { cookie, origins: OriginPolicy::same_origin(), realm: Realm::default() }
    }

    /// The answer to those who may not call: only POST may, from where it may come. Asked before any cookie
    /// is looked at.
    pub(super) fn reject_early(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Option<Response<Full<Bytes>>> {
        if method != Method::POST {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return Some(response);
        }
        self.origins.check(headers, uri).err().map(|error| self.refuse(error))
    }

    pub(super) fn refuse(&self, error: AuthError) -> Response<Full<Bytes>> {
        tracing::debug!(status = error.status().as_u16(), reason = %error, "refused a request");
        error.endpoint_response(&self.realm)
    }

    /// The answer to a refresh that gave nothing. The cookie is left alone: a late 401 of an old session must
    /// not take the cookie of a new one.
    pub(super) fn refuse_refresh(&self, error: RefreshError) -> Response<Full<Bytes>> {
        match error {
            RefreshError::Rejected(refusal) => self.refuse_token(refusal),
            RefreshError::Unavailable { source, successor } => {
                tracing::warn!(
                    error = &*source as &dyn std::error::Error,
                    "a session could not be refreshed just now"
                );
                self.reject_with_successor(AuthError::Unavailable, successor.as_ref())
            }
            RefreshError::Failed { source, successor } => {
                tracing::error!(
                    error = &*source as &dyn std::error::Error,
                    "a session could not be refreshed"
                );
                self.reject_with_successor(AuthError::Failed, successor.as_ref())
            }
        }
    }

    /// The answer to a refresh token that opens nothing.
    pub(super) fn refuse_token(&self, refusal: RefreshRejection) -> Response<Full<Bytes>> {
        tracing::debug!(reason = %refusal, "refused a refresh token");
        let mut response = self.refuse(AuthError::Token(match refusal {
            RefreshRejection::Expired | RefreshRejection::Idle => TokenError::Expired,
            RefreshRejection::Invalid => TokenError::Signature,
            _ => TokenError::Revoked,
        }));
        response.extensions_mut().insert(refusal);
        response
    }

    /// The answer to a request none of whose cookies is a refresh token of ours.
    pub(super) fn refuse_unopened(&self, cookies: &[&[u8]]) -> Response<Full<Bytes>> {
        match cookies.is_empty() {
            true => self.refuse(AuthError::Missing),
            false => self.refuse_token(RefreshRejection::Invalid),
        }
    }

    /// The client is left no generation behind.
    fn reject_with_successor(
        &self,
        error: AuthError,
        successor: Option<&RefreshToken>,
    ) -> Response<Full<Bytes>> {
        let mut response = self.refuse(error);
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

/// An answer without content, never to be cached.
pub(super) fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer of [`RefreshService`](super::RefreshService) and [`LogoutService`](super::LogoutService).
///
/// What has been begun is brought to its end though the client leaves: a logout is not undone by a tab that
/// closes, nor is the ending of a session for reuse.
pub struct EndpointFuture {
    answer: Answer,
}

enum Answer {
    Ready(Option<Response<Full<Bytes>>>),
    Working { work: JoinHandle<Response<Full<Bytes>>>, endpoint: Arc<Endpoint> },
}

impl EndpointFuture {
    pub(super) fn ready(response: Response<Full<Bytes>>) -> Self {
        Self { answer: Answer::Ready(Some(response)) }
    }

    /// Works in a task of its own, unless too many of the kind are being worked on.
    pub(super) fn working<C>(
        sessions: &Sessions<C>,
        kind: Work,
        endpoint: Arc<Endpoint>,
        work: impl Future<Output = Response<Full<Bytes>>> + Send + 'static,
    ) -> Self {
        let Some(place) = sessions.try_acquire_permit(kind) else {
            return Self::ready(endpoint.refuse(AuthError::Unavailable));
        };
        let work = async move {
            let response = work.await;
            drop(place);
            response
        };
        let work = sessions.runtime().spawn(work.in_current_span());
        Self { answer: Answer::Working { work, endpoint } }
    }
}

impl Future for EndpointFuture {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.answer {
            Answer::Ready(response) => {
                response.take().map_or(Poll::Pending, |r| Poll::Ready(Ok(r)))
            }
            Answer::Working { work, endpoint } => Pin::new(work).poll(cx).map(|answer| {
                Ok(answer.unwrap_or_else(|error| {
                    if error.is_panic() {
                        tracing::error!("the store's or the hook's code panicked");
                        endpoint.refuse(AuthError::Failed)
                    } else {
                        // The runtime ends.
                        endpoint.refuse(AuthError::Unavailable)
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
