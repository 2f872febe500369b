//! Extractors for axum handlers.

use std::fmt;

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use super::decide::Anonymous;
use crate::http::challenge::{AuthError, Realm};
use crate::identity::Identity;

/// Takes the identity that the layer put in.
///
/// Where the layer is optional and the request anonymous, the answer is 401. Where there is no layer, or one
/// for other claims, it is 500: a route that was left outside must not look like one that is protected.
impl<S, C> FromRequestParts<S> for Identity<C>
where
    S: Send + Sync,
    C: Send + Sync + 'static,
{
    type Rejection = IdentityRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, IdentityRejection> {
        identity(parts)?.ok_or_else(|| {
            let realm =
                parts.extensions.get::<Anonymous>().map(|anonymous| anonymous.realm.clone());
            IdentityRejection { error: AuthError::Missing, realm: realm.unwrap_or_default() }
        })
    }
}

/// As the plain extractor, but an anonymous request gives `None`.
impl<S, C> OptionalFromRequestParts<S> for Identity<C>
where
    S: Send + Sync,
    C: Send + Sync + 'static,
{
    type Rejection = IdentityRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, IdentityRejection> {
        identity(parts)
    }
}

fn identity<C: Send + Sync + 'static>(
    parts: &Parts,
) -> Result<Option<Identity<C>>, IdentityRejection> {
    match parts.extensions.get::<Identity<C>>() {
        Some(identity) => Ok(Some(identity.clone())),
        None if parts.extensions.get::<Anonymous>().is_some() => Ok(None),
        None => {
            tracing::error!(
                "a handler asks for an identity outside of a JwtAuthLayer with its claims"
            );
            Err(IdentityRejection { error: AuthError::MissingLayer, realm: Realm::default() })
        }
    }
}

/// Why a handler got no identity.
#[derive(Debug)]
pub struct IdentityRejection {
    error: AuthError,
    realm: Realm,
}

impl IdentityRejection {
    /// The reason.
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
