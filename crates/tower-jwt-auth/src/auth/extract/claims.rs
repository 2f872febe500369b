use std::any::type_name;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::IdentityRejection;
use super::identity::{optional, required};
use crate::http::challenge::{AuthError, Challenge};
use crate::identity::{Claims, Identity};

/// Extracts the application's own claims.
///
/// The rejection is that of [`Identity`], or 500 if the layer's verifier reads claims of another type.
impl<S, C> FromRequestParts<S> for Claims<C>
where
    S: Send + Sync,
    C: Send + Sync + 'static,
{
    type Rejection = IdentityRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, IdentityRejection> {
        claims(&required(parts, "the extractor Claims")?)
    }
}

/// Extracts the claims, or `None` for an anonymous request.
impl<S, C> OptionalFromRequestParts<S> for Claims<C>
where
    S: Send + Sync,
    C: Send + Sync + 'static,
{
    type Rejection = IdentityRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, IdentityRejection> {
        optional(parts, "the extractor Option<Claims>")?.as_ref().map(claims).transpose()
    }
}

fn claims<C: Send + Sync + 'static>(identity: &Identity) -> Result<Claims<C>, IdentityRejection> {
    // The identity has logged the error.
    let error = || AuthError::OtherClaims { expected: type_name::<C>() };
    Claims::of(identity)
        .ok_or_else(|| IdentityRejection { error: error(), challenge: Challenge::default() })
}
