//! `jwt-authorizer` with jsonwebtoken 9 and ring. Its error responses are those of axum 0.7, so a `Router` of
//! axum 0.8 cannot have it.

use std::convert::Infallible;
use std::future::ready;

use axum::body::Body;
use axum_07::body::Body as Body07;
use http::{Request, Response};
use jwt_authorizer::layer::AuthorizationLayer;
use jwt_authorizer::{IntoLayer as _, JwtAuthorizer, Validation};
use tower::{Layer, service_fn};
use tower_jwt_auth::Algorithm;

use crate::BoxError;
use crate::case::{Case, ServiceCase};
use crate::keys::Key;
use crate::tokens::{AUDIENCE, AccessClaims, ISSUER};

async fn layer(key: &Key) -> Result<Option<AuthorizationLayer<AccessClaims>>, BoxError> {
    let builder: JwtAuthorizer<AccessClaims> = match (key.algorithm(), key.secret()) {
        (Algorithm::MlDsa44, _) => return Ok(None),
        (_, Some(secret)) => JwtAuthorizer::from_secret(secret),
        (_, None) => JwtAuthorizer::from_jwks_text(&key.jwks()?),
    };
    let validation = Validation::new().iss(&[ISSUER]).aud(&[AUDIENCE]);
    Ok(Some(builder.validation(validation).build().await?.into_layer()))
}

pub(super) async fn case(key: &Key) -> Result<Option<Box<dyn Case>>, BoxError> {
    let Some(layer) = layer(key).await? else { return Ok(None) };
    let inner =
        service_fn(|_: Request<Body>| ready(Ok::<_, Infallible>(Response::new(Body07::empty()))));
    Ok(Some(Box::new(ServiceCase::new(layer.layer(inner)))))
}
