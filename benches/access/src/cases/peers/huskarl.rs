//! `huskarl-axum` with its own verifiers on RustCrypto, the only ones that it has outside of WebAssembly.

use std::sync::Arc;

use axum::Router;
use huskarl_axum::layers::{AuthenticatedLayer, ValidatorLayer};
use huskarl_axum::resource_server::core::EndpointUrl;
use huskarl_axum::resource_server::core::Error;
use huskarl_axum::resource_server::core::crypto::verifier::{
    JwsVerifier, JwsVerifierPlatform, MultiKeyVerifier,
};
use huskarl_axum::resource_server::core::jwk::{Jwks, OctKey, PublicJwks, SymmetricJwk};
use huskarl_axum::resource_server::core::platform::MaybeSendBoxFuture;
use huskarl_axum::resource_server::validator::rfc9068::Rfc9068Validator;
use huskarl_crypto_native::symmetric::SymmetricKey;
use tower::Layer;
use tower_jwt_auth::Algorithm;

use crate::BoxError;
use crate::case::{Case, ServiceCase};
use crate::cases::{inner, router as bare_router};
use crate::keys::Key;
use crate::tokens::{AUDIENCE, ISSUER};

type Built = MaybeSendBoxFuture<'static, Result<Arc<dyn JwsVerifier>, Error>>;

async fn layer(key: &Key) -> Result<Option<AuthenticatedLayer<Rfc9068Validator>>, BoxError> {
    if key.algorithm() == Algorithm::MlDsa44 {
        return Ok(None);
    }
    let secret = key.secret().map(|secret| {
        let oct = OctKey::builder().k(secret.bytes()).build();
        SymmetricJwk::builder().key(oct).algorithm("HS256").kid(key.id()).build()
    });
    let public: PublicJwks = serde_json::from_str::<Jwks>(&key.jwks()?)?.into();
    let verifiers = move |_: Option<&EndpointUrl>, platform: Arc<dyn JwsVerifierPlatform>| {
        let (secret, public) = (secret.clone(), public.clone());
        let built: Built = Box::pin(async move {
            let verifier: Arc<dyn JwsVerifier> = match secret {
                Some(secret) => Arc::new(SymmetricKey::from_jwk(secret)?),
                None => Arc::new(MultiKeyVerifier::from_jwks(&public, &*platform).await?),
            };
            Ok(verifier)
        });
        built
    };
    let validator = Rfc9068Validator::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .jws_verifier_factory(verifiers)
        .build()
        .await?;
    Ok(Some(ValidatorLayer::builder().validator(validator).build().authenticated()))
}

pub(super) async fn case(key: &Key) -> Result<Option<Box<dyn Case>>, BoxError> {
    let Some(layer) = layer(key).await? else { return Ok(None) };
    Ok(Some(Box::new(ServiceCase::new(layer.layer(inner())))))
}

pub(super) async fn router(key: &Key) -> Result<Option<Router>, BoxError> {
    Ok(layer(key).await?.map(|layer| bare_router().layer(layer)))
}
