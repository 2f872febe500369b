//! Other middleware. Each validates signature, issuer, audience and expiry, and deserializes the same claims.

mod axum_jwt_auth;
mod huskarl;
mod jwt_authorizer;
mod oauth2_resource_server;

use axum::Router;

use super::Row;
use crate::BoxError;
use crate::case::Case;
use crate::keys::Key;

/// Builds a row of another middleware, or returns `None` if it lacks the algorithm of the key.
pub(super) async fn case(row: Row, key: &Key) -> Result<Option<Box<dyn Case>>, BoxError> {
    match row {
        Row::JwtAuthorizer => jwt_authorizer::case(key).await,
        Row::OAuth2ResourceServer => oauth2_resource_server::case(key).await,
        Row::Huskarl => huskarl::case(key).await,
        Row::RouterAxumJwtAuth => axum_jwt_auth::case(key, false),
        Row::RouterAxumJwtAuthAwsLc => axum_jwt_auth::case(key, true),
        _ => Ok(None),
    }
}

/// Returns routers with the middleware that supports axum 0.8, for the comparison over a socket.
pub(crate) async fn routers(key: &Key) -> Result<Vec<(&'static str, Router)>, BoxError> {
    let mut routers = Vec::new();
    if let Some(router) = oauth2_resource_server::router(key).await? {
        routers.push(("tower-oauth2-resource-server", router));
    }
    if let Some(router) = huskarl::router(key).await? {
        routers.push(("huskarl-axum", router));
    }
    if let Some(router) = axum_jwt_auth::router(key)? {
        routers.push(("axum-jwt-auth", router));
    }
    Ok(routers)
}
