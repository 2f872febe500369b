//! Rejections as HTTP responses (RFC 6750 §3, RFC 9470 §3).

mod settings;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;

pub(crate) use self::settings::Challenge;
use crate::error::{RequestError, TokenError};
use crate::http::origin::CrossSite;

/// The reason why a request is rejected.
///
/// The response carries it in its extensions, so that outer layers can log and count it. The client receives only the
/// error code of the RFC and a fixed sentence.
///
/// # Examples
///
/// ```
/// use http::{Response, StatusCode};
/// use tower_jwt_auth::AuthError;
///
/// /// Counts rejections by their error code.
/// fn label<B>(response: &Response<B>) -> Option<&'static str> {
///     response.extensions().get::<AuthError>().map(|error| error.code().unwrap_or("no_credentials"))
/// }
///
/// let response = AuthError::Missing.into_error_response();
/// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
/// assert_eq!(label(&response), Some("no_credentials"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The request carries no credentials: 401 with a challenge without an error code (RFC 6750 §3.1).
    #[error("the request carries no credentials")]
    Missing,
    /// The credentials cannot be read: 400 `invalid_request`.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The token is invalid: 401 `invalid_token`.
    #[error(transparent)]
    Token(TokenError),
    /// The token does not grant the required scope: 403 `insufficient_scope`.
    #[error("the token lacks the scope {scope:?}")]
    Scope {
        /// The required scopes, separated by spaces.
        scope: Arc<str>,
    },
    /// The login is too old, or the token has no `auth_time`: 401 `insufficient_user_authentication` (RFC 9470).
    #[error("the login is not less than {max_age:?} ago, or its time is unknown")]
    StaleLogin {
        /// The maximum age.
        max_age: Duration,
    },
    /// Another site caused the request: 403 `cross_site_request`.
    #[error("another site caused the request")]
    CrossSite,
    /// The service cannot decide at the moment: 503 with `Retry-After`. The store or the refresh hook is unavailable,
    /// an endpoint works on its maximum number of requests, or too many signatures wait to be verified.
    #[error("the service is temporarily unavailable")]
    Unavailable,
    /// The keys of the token's issuer are unavailable: 503 with `Retry-After`.
    #[error("the keys of the token's issuer are unavailable")]
    KeysUnavailable {
        /// The time until the next scheduled fetch.
        retry_after: Duration,
    },
    /// The service failed: 500.
    #[error("the service failed")]
    Failed,
    /// A predicate of the application rejects the identity: 403 `access_denied`.
    #[error("a requirement of the application is not met")]
    Forbidden,
    /// A requirement or an extractor is outside of a `JwtAuthLayer`: 500.
    #[error("{required_by} found no identity: put it inside of a JwtAuthLayer")]
    MissingLayer {
        /// The layer or extractor that requires an identity.
        required_by: &'static str,
    },
    /// The layer's verifier reads claims of another type than the handler extracts: 500.
    #[error(
        "the JwtAuthLayer does not read claims of the type {expected}: set it with Verifier::with_claims"
    )]
    OtherClaims {
        /// The type of claims that the handler extracts.
        expected: &'static str,
    },
}

impl From<TokenError> for AuthError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::KeysUnavailable { retry_after } => Self::KeysUnavailable { retry_after },
            TokenError::TooLong => Self::Request(RequestError::TooLong),
            error => Self::Token(error),
        }
    }
}

impl From<CrossSite> for AuthError {
    fn from(_: CrossSite) -> Self {
        Self::CrossSite
    }
}

impl AuthError {
    /// Returns the status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Token(_) | Self::StaleLogin { .. } => StatusCode::UNAUTHORIZED,
            Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Scope { .. } | Self::Forbidden | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Unavailable | Self::KeysUnavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed | Self::MissingLayer { .. } | Self::OtherClaims { .. } => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Returns the error code in the response, or `None` for a request without credentials (RFC 6750 §3.1).
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Missing => return None,
            Self::Request(_) => "invalid_request",
            Self::Token(_) => "invalid_token",
            Self::Scope { .. } => "insufficient_scope",
            Self::StaleLogin { .. } => "insufficient_user_authentication",
            Self::Forbidden => "access_denied",
            Self::CrossSite => "cross_site_request",
            Self::Unavailable | Self::KeysUnavailable { .. } => "temporarily_unavailable",
            Self::Failed | Self::MissingLayer { .. } | Self::OtherClaims { .. } => "server_error",
        })
    }

    fn description(&self) -> &'static str {
        match self {
            Self::Missing => "",
            Self::Request(_) => "The request's credentials are malformed or given more than once.",
            Self::Token(_) => "The token is malformed, expired, revoked or not for this service.",
            Self::Scope { .. } => "The token does not grant the scope that is needed.",
            Self::StaleLogin { .. } => "A more recent login is needed.",
            Self::Forbidden => "The user may not do this.",
            Self::CrossSite => "Requests from other sites are not accepted here.",
            Self::Unavailable | Self::KeysUnavailable { .. } => {
                "The service is temporarily unavailable."
            }
            Self::Failed | Self::MissingLayer { .. } | Self::OtherClaims { .. } => {
                "The service failed."
            }
        }
    }

    /// Returns the response for a handler that rejects a request, such as a login that another site causes: status,
    /// challenge, JSON and `Cache-Control: no-store`.
    ///
    /// With the feature `axum` the error implements `IntoResponse`.
    pub fn into_error_response(self) -> Response<Full<Bytes>> {
        self.endpoint_response(&Challenge::default())
    }

    /// Returns the response of an endpoint, which must not be cached.
    pub(crate) fn endpoint_response(self, challenge: &Challenge) -> Response<Full<Bytes>> {
        let is_bare = self == Self::Missing;
        let mut response = self.response(challenge, true);
        if is_bare {
            // The challenge has no error code (RFC 6750 §3.1), but scripts expect one in the body.
            let json = r#"{"error":"missing_token","error_description":"The request carries no refresh token."}"#;
            let content_type = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            *response.body_mut() = Some(Bytes::from_static(json.as_bytes()));
        }
        let mut response = response.map(|json| json.map_or_else(Full::default, Full::new));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Returns the response, with this error in its extensions. A response to gRPC has no body, since gRPC clients
    /// report a body as an internal error.
    pub(crate) fn response(
        self,
        challenge: &Challenge,
        with_body: bool,
    ) -> Response<Option<Bytes>> {
        let mut response = Response::new(None);
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        if let Some(header) = self.challenge_header(challenge) {
            headers.insert(WWW_AUTHENTICATE, header);
        }
        match self {
            Self::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::KeysUnavailable { retry_after } => {
                // Whole seconds, at least one (RFC 9110 §10.2.3).
                let seconds = retry_after.as_millis().div_ceil(1000).clamp(1, u64::MAX.into());
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds as u64));
            }
            _ => {}
        }
        if let (Some(code), true) = (self.code(), with_body) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            let description = self.description();
            // Neither of them contains characters to escape.
            let json = format!(r#"{{"error":"{code}","error_description":"{description}"}}"#);
            *response.body_mut() = Some(json.into());
        }
        response.extensions_mut().insert(self);
        response
    }

    /// Returns the challenge. Every 401 has one (RFC 9110 §15.5.2), and a 400 or 403 that a token causes (RFC 6750 §3).
    fn challenge_header(&self, challenge: &Challenge) -> Option<HeaderValue> {
        let mut text = match self {
            Self::Forbidden
            | Self::CrossSite
            | Self::Unavailable
            | Self::KeysUnavailable { .. }
            | Self::Failed
            | Self::MissingLayer { .. }
            | Self::OtherClaims { .. } => return None,
            Self::Missing => return Some(challenge.header()),
            Self::Request(_) | Self::Token(_) | Self::Scope { .. } | Self::StaleLogin { .. } => {
                // The challenge consists of visible ASCII.
                challenge.header().to_str().unwrap_or_default().to_owned()
            }
        };
        let (code, description) = (self.code()?, self.description());
        // Writing to a string does not fail.
        let _ = write!(text, r#", error="{code}", error_description="{description}""#);
        match self {
            Self::Scope { scope } => {
                let _ = write!(text, r#", scope="{scope}""#);
            }
            Self::StaleLogin { max_age } => {
                let _ = write!(text, r#", max_age="{}""#, max_age.as_secs());
            }
            _ => {}
        }
        // Realm, URL and scope were checked when they were configured.
        HeaderValue::from_str(&text).ok()
    }
}

/// Returns whether a rejection of this request may have a body.
pub(crate) fn takes_body(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    !content_type.is_some_and(|value| {
        value.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(error: AuthError) -> Option<String> {
        let response = error.response(&Challenge::default(), true);
        let challenge = response.headers().get(WWW_AUTHENTICATE)?;
        Some(challenge.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_request_without_credentials_gets_a_bare_challenge_and_no_body() {
        assert_eq!(challenge(AuthError::Missing).as_deref(), Some(r#"Bearer realm="api""#));
        let response = AuthError::Missing.response(&Challenge::default(), true);
        assert!(response.body().is_none() && !response.headers().contains_key(CONTENT_TYPE));
    }

    #[test]
    fn challenges_contain_the_requirement() {
        let scope = challenge(AuthError::Scope { scope: "a b".into() }).unwrap();
        assert!(scope.starts_with(r#"Bearer realm="api", error="insufficient_scope", "#));
        assert!(scope.ends_with(r#", scope="a b""#), "{scope}");
        let old = challenge(AuthError::StaleLogin { max_age: Duration::from_secs(300) }).unwrap();
        assert!(old.contains(r#"error="insufficient_user_authentication""#));
        assert!(old.ends_with(r#", max_age="300""#), "{old}");
    }

    #[test]
    fn the_challenge_does_not_reveal_why_a_token_is_invalid() {
        let one = TokenError::Expired;
        for other in [TokenError::Signature, TokenError::Missing("sub"), TokenError::Revoked] {
            assert_eq!(challenge(one.into()), challenge(other.into()));
        }
    }

    #[test]
    fn bodies_are_json_with_the_code_of_the_challenge() {
        for error in [
            AuthError::Request(RequestError::Malformed),
            AuthError::Token(TokenError::Expired),
            AuthError::CrossSite,
            AuthError::Unavailable,
            AuthError::MissingLayer { required_by: "test" },
        ] {
            let (code, status) = (error.code(), error.status());
            let response = error.clone().response(&Challenge::default(), true);
            assert_eq!(response.status(), status);
            assert_eq!(response.extensions().get::<AuthError>(), Some(&error));
            let body = response.into_body().unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"].as_str(), code);
            assert!(body["error_description"].is_string());
            assert!(error.response(&Challenge::default(), false).body().is_none());
        }
    }

    #[test]
    fn grpc_requests_take_no_body() {
        let mut headers = HeaderMap::new();
        assert!(takes_body(&headers));
        for (value, takes) in [
            ("application/json", true),
            ("application/grpc", false),
            ("Application/gRPC+proto", false),
            ("application/grpc-web", false),
        ] {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(takes_body(&headers), takes, "{value}");
        }
    }
}
