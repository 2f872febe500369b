//! Extractors for axum handlers, and the errors as responses of handlers.

mod claims;
mod identity;

use std::fmt;

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};

use crate::http::challenge::{AuthError, Challenge};
use crate::http::origin::CrossSite;

/// The rejection of a request whose handler extracts an [`Identity`](crate::Identity) or [`Claims`](crate::Claims) that
/// the request does not have.
///
/// # Examples
///
/// ```
/// use axum::response::{IntoResponse, Response};
/// use tower_jwt_auth::{Identity, auth::IdentityRejection};
///
/// /// Renders a page instead of the JSON of the library.
/// async fn account(identity: Result<Identity, IdentityRejection>) -> Response {
///     match identity {
///         Ok(identity) => identity.subject().to_owned().into_response(),
///         Err(rejection) => (rejection.error().status(), "Please sign in.").into_response(),
///     }
/// }
/// # let _: axum::Router = axum::Router::new().route("/account", axum::routing::get(account));
/// ```
#[derive(Debug)]
pub struct IdentityRejection {
    error: AuthError,
    challenge: Challenge,
}

impl IdentityRejection {
    /// Returns the reason.
    pub fn error(&self) -> &AuthError {
        &self.error
    }
}

impl fmt::Display for IdentityRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for IdentityRejection {}

impl IntoResponse for IdentityRejection {
    fn into_response(self) -> Response {
        self.error
            .response(&self.challenge, true)
            .map(|json| json.map_or_else(Body::empty, Body::from))
    }
}

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        self.into_error_response().map(Body::new)
    }
}

impl IntoResponse for CrossSite {
    fn into_response(self) -> Response {
        AuthError::from(self).into_response()
    }
}
