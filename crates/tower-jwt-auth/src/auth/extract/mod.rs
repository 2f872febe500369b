//! Extractors for axum handlers, and the errors as responses of handlers.

mod claims;
mod identity;

use std::fmt;

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};

use crate::http::challenge::{AuthError, Realm};
use crate::http::origin::CrossSite;

/// The response to a request whose handler extracts an [`Identity`](crate::Identity) or [`Claims`](crate::Claims) that
/// is not there.
#[derive(Debug)]
pub struct IdentityRejection {
    error: AuthError,
    realm: Realm,
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
        self.error.response(&self.realm, true).map(|json| json.map_or_else(Body::empty, Body::from))
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
