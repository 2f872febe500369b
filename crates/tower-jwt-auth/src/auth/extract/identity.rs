use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::IdentityRejection;
use crate::auth::decision::{Anonymous, reject_without_identity};
use crate::identity::Identity;

/// Extracts the identity that [`JwtAuthLayer`](crate::JwtAuthLayer) has inserted.
///
/// The rejection is 401 for an anonymous request inside of an optional layer, and for a CORS preflight that the layer
/// lets pass. It is 500 outside of a layer, so that an unprotected route is noticed.
impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = IdentityRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, IdentityRejection> {
        required(parts, "the extractor Identity")
    }
}

/// Extracts the identity, or `None` for an anonymous request.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Identity {
    type Rejection = IdentityRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, IdentityRejection> {
        optional(parts, "the extractor Option<Identity>")
    }
}

pub(super) fn required(
    parts: &Parts,
    required_by: &'static str,
) -> Result<Identity, IdentityRejection> {
    parts.extensions.get::<Identity>().cloned().ok_or_else(|| {
        let (error, challenge) = reject_without_identity(&parts.extensions, required_by);
        IdentityRejection { error, challenge }
    })
}

pub(super) fn optional(
    parts: &Parts,
    required_by: &'static str,
) -> Result<Option<Identity>, IdentityRejection> {
    let extensions = &parts.extensions;
    if extensions.get::<Identity>().is_none() && extensions.get::<Anonymous>().is_some() {
        return Ok(None);
    }
    required(parts, required_by).map(Some)
}
