//! The errors of this application's handlers, in the format of the library's.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tower_jwt_auth::sessions::SessionError;

/// The response to a request that fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Body,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Body {
    error: &'static str,
    error_description: &'static str,
}

impl ApiError {
    pub(crate) const INVALID_CREDENTIALS: Self = Self::new(
        StatusCode::UNAUTHORIZED,
        "invalid_credentials",
        "The user name or the password is wrong.",
    );
    pub(crate) const CROSS_SITE: Self = Self::new(
        StatusCode::FORBIDDEN,
        "cross_site_request",
        "Requests from other sites are not accepted.",
    );
    pub(crate) const NOT_FOUND: Self =
        Self::new(StatusCode::NOT_FOUND, "not_found", "The resource does not exist.");
    pub(crate) const REQUEST_TIMEOUT: Self = Self::new(
        StatusCode::REQUEST_TIMEOUT,
        "request_timeout",
        "The request did not arrive in time.",
    );
    pub(crate) const UNAVAILABLE: Self = Self::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "temporarily_unavailable",
        "The request cannot be handled at the moment.",
    );
    pub(crate) const SERVER_ERROR: Self =
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "The server failed.");
    const BAD_REQUEST: Self =
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", "The body is malformed.");

    const fn new(status: StatusCode, error: &'static str, error_description: &'static str) -> Self {
        Self { status, body: Body { error, error_description } }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        match self.status {
            // A 401 has a challenge (RFC 9110 §15.5.2).
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static(r#"Bearer realm="api""#);
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a session call failed");
        match error {
            SessionError::Store(_) => Self::UNAVAILABLE,
            _ => Self::SERVER_ERROR,
        }
    }
}

/// The response does not repeat the body, which may contain a password.
impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            status @ StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::new(status, "invalid_request", "Send the body as application/json.")
            }
            status @ StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(status, "invalid_request", "The body is too large.")
            }
            _ => Self::BAD_REQUEST,
        }
    }
}
