//! The errors of sessions as responses of axum handlers.

use axum_core::response::{IntoResponse, Response};

use crate::error::TokenError;
use crate::http::challenge::AuthError;
use crate::sessions::{RefreshError, SessionError};

impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        respond(AuthError::from(&self), &self)
    }
}

impl IntoResponse for RefreshError {
    fn into_response(self) -> Response {
        let error = match self {
            Self::Rejected(_) => TokenError::Revoked.into(),
            Self::Unavailable { .. } => AuthError::Unavailable,
            Self::Failed { .. } => AuthError::Failed,
        };
        let mut response = respond(error, &self);
        // As the refresh endpoint does, for layers that count reuse.
        if let Self::Rejected(rejection) = self {
            response.extensions_mut().insert(rejection);
        }
        response
    }
}

fn respond(error: AuthError, cause: &(dyn std::error::Error + 'static)) -> Response {
    match error {
        AuthError::Unavailable => tracing::warn!(error = cause, "a handler responds with 503"),
        AuthError::Failed => tracing::error!(error = cause, "a handler responds with 500"),
        _ => tracing::debug!(error = cause, "a handler rejects a request"),
    }
    IntoResponse::into_response(error)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use tower_jwt_auth_core::StoreError;

    use super::*;
    use crate::sessions::RefreshRejection;

    #[test]
    fn only_an_unavailable_store_is_503() {
        let status = |error| SessionError::from(error).into_response().status();
        assert_eq!(status(StoreError::unavailable("down")), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(StoreError::corrupt("bad row")), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(status(StoreError::Limit), StatusCode::FORBIDDEN);
    }

    #[test]
    fn a_rejected_refresh_carries_its_reason() {
        let response = RefreshError::Rejected(RefreshRejection::Reuse).into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.extensions().get(), Some(&RefreshRejection::Reuse));
    }
}
