//! The layer of this library.

use tower::Layer;
use tower_jwt_auth::{JwtAuthLayer, KeySet, MemoryStore, RevocationList, TrustedIssuer, Verifier};

use super::{Row, inner, router};
use crate::BoxError;
use crate::case::{Case, ServiceCase};
use crate::keys::Key;
use crate::tokens::{AUDIENCE, ISSUER};

/// The cache that holds a million tokens.
const LARGE_CACHE: usize = 1_500_000;
const LARGE_CACHE_BYTES: usize = 4 << 30;

/// Returns the layer with a revocation list that follows an empty log.
pub(crate) async fn layer(key: &Key) -> Result<JwtAuthLayer, BoxError> {
    let list = RevocationList::follow(MemoryStore::new())?;
    list.ready().await;
    layer_with_list(key, list)
}

/// Returns the layer with this revocation list.
pub(crate) fn layer_with_list(key: &Key, list: RevocationList) -> Result<JwtAuthLayer, BoxError> {
    let keys = KeySet::from(key.verifying()?);
    let issuer = TrustedIssuer::new(ISSUER, AUDIENCE, keys)?;
    Ok(JwtAuthLayer::new(Verifier::new(issuer), list))
}

/// Builds a row of this library. Each has a layer of its own, so that none has seen the tokens of another one.
pub(super) async fn case(row: Row, key: &Key) -> Result<Box<dyn Case>, BoxError> {
    let layer = layer(key).await?;
    Ok(match row {
        Row::LargeRotation => {
            let layer = layer.with_token_cache(LARGE_CACHE, LARGE_CACHE_BYTES)?;
            Box::new(ServiceCase::new(layer.layer(inner())))
        }
        Row::Uncached => Box::new(ServiceCase::new(layer.without_token_cache().layer(inner()))),
        Row::RouterRepeated | Row::RouterFirstSeen => {
            Box::new(ServiceCase::new(router().layer(layer)))
        }
        Row::RepeatedWithExtension => {
            Box::new(ServiceCase::new(layer.layer(inner())).with_extension())
        }
        Row::Forged | Row::Expired => Box::new(ServiceCase::new(layer.layer(inner())).rejecting()),
        _ => Box::new(ServiceCase::new(layer.layer(inner()))),
    })
}
