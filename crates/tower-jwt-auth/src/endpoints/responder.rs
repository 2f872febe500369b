use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use super::cookie::RefreshCookie;
use super::headers::set_cookies;
use crate::error::TokenError;
use crate::http::challenge::{AuthError, Challenge};
use crate::http::origin::OriginPolicy;
use crate::refresh_token::RefreshToken;
use crate::sessions::{RefreshError, RefreshRejection};

/// Creates the responses of an endpoint, according to its settings.
#[derive(Clone, Debug)]
pub(super) struct Responder {
    pub(super) cookie: RefreshCookie,
    pub(super) origins: OriginPolicy,
    pub(super) challenge: Challenge,
}

impl Responder {
    pub(super) fn new(cookie: RefreshCookie) -> Self {
        Self { cookie, origins: OriginPolicy::same_origin(), challenge: Challenge::default() }
    }

    pub(super) fn reject(&self, error: AuthError) -> Response<Full<Bytes>> {
        tracing::debug!(status = error.status().as_u16(), reason = %error, "rejected a request");
        error.endpoint_response(&self.challenge)
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
