use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::IdentityRejection;
use crate::auth::decision::{Anonymous, Preflight};
use crate::http::challenge::{AuthError, Realm};
use crate::identity::Identity;

/// Extracts the identity that [`JwtAuthLayer`](crate::JwtAuthLayer) has inserted.
///
/// The rejection is 401 for an anonymous request inside of an optional layer, and for a CORS preflight that the layer
/// lets pass. It is 500 outside of a layer, so that an
/// unprotected route is noticed.
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
    optional(parts, required_by)?.ok_or_else(|| {
        let realm = parts.extensions.get::<Anonymous>().map(|anonymous| anonymous.realm.clone());
        IdentityRejection { error: AuthError::Missing, realm: realm.unwrap_or_default() }
    })
}

pub(super) fn optional(
    parts: &Parts,
    required_by: &'static str,
) -> Result<Option<Identity>, IdentityRejection> {
    match parts.extensions.get::<Identity>() {
        Some(identity) => Ok(Some(identity.clone())),
        None if parts.extensions.get::<Anonymous>().is_some() => Ok(None),
        None => {
            if let Some(Preflight { realm }) = parts.extensions.get() {
                return Err(IdentityRejection { error: AuthError::Missing, realm: realm.clone() });
            }
            let error = AuthError::MissingLayer { required_by };
            tracing::error!("{error}");
            Err(IdentityRejection { error, realm: Realm::default() })
        }
    }
}
