//! `tower-oauth2-resource-server` with jsonwebtoken 11 and aws-lc-rs.

use axum::Router;
use axum::body::Body;
use jsonwebtoken::Algorithm;
use tower::Layer;
use tower_oauth2_resource_server::layer::OAuth2ResourceServerLayer;
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_oauth2_resource_server::validation::ClaimsValidationSpec;

use crate::BoxError;
use crate::case::{Case, ServiceCase};
use crate::cases::{inner, router as bare_router};
use crate::keys::Key;
use crate::tokens::{AUDIENCE, AccessClaims, ISSUER};

async fn layer(
    key: &Key,
) -> Result<Option<OAuth2ResourceServerLayer<Body, AccessClaims>>, BoxError> {
    let Ok(algorithm) = key.algorithm().as_str().parse::<Algorithm>() else { return Ok(None) };
    // `nbf`, which the recommended set requires, is optional in access tokens (RFC 9068 §2.2).
    let claims = ClaimsValidationSpec::new().iss(ISSUER).exp(true).aud(&vec![AUDIENCE.to_owned()]);
    let tenant = TenantConfiguration::static_builder(key.jwks()?)
        .identifier(ISSUER)
        .claims_validation(claims)
        .allowed_algorithms(&[algorithm])
        .build()?;
    let server = OAuth2ResourceServer::<AccessClaims>::builder().add_tenant(tenant).build().await?;
    Ok(Some(server.into_layer()))
}

pub(super) async fn case(key: &Key) -> Result<Option<Box<dyn Case>>, BoxError> {
    let Some(layer) = layer(key).await? else { return Ok(None) };
    Ok(Some(Box::new(ServiceCase::new(layer.layer(inner())))))
}

pub(super) async fn router(key: &Key) -> Result<Option<Router>, BoxError> {
    Ok(layer(key).await?.map(|layer| bare_router().layer(layer)))
}
