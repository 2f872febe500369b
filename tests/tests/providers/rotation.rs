use futures_util::future::join_all;
use http::StatusCode;
use tower_jwt_auth::keys::RemoteKeySet;
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth_tests::servers::{OidcProvider, ProviderKey};
use tower_jwt_auth_tests::token_builder::decode;
use tower_jwt_auth_tests::util::until;

use crate::client::{client_token, resource};
use crate::service::{SECOND, Service, discover, discover_with};
use crate::test_keys::{P256, P256_OTHER};

fn one() -> ProviderKey {
    ProviderKey::new("one", P256)
}

fn two() -> ProviderKey {
    ProviderKey::new("two", P256_OTHER)
}

/// Discovers keys that are fetched again after a second, at the earliest and at the latest.
async fn refreshed_each_second(provider: &OidcProvider) -> RemoteKeySet {
    discover_with(provider, |keys| keys.min_refresh_interval(SECOND).max_refresh_interval(SECOND))
        .await
}

#[tokio::test]
async fn the_first_requests_with_a_new_key_succeed_after_one_fetch() {
    let Some(provider) = OidcProvider::start(&[one()]) else { return };
    let audience = resource("ES256");
    let keys = discover(&provider).await;
    let service = Service::new(&provider, &audience, keys.clone());
    let old = client_token(&provider, &audience).await;
    service.accepts(&old).await;
    assert_eq!(keys.status().fetches(), 1);

    provider.rotate(&[two(), one()]);
    let new = client_token(&provider, &audience).await;
    assert_eq!(decode(&new, 0)["kid"], "two");
    join_all((0..50).map(|_| service.accepts(&new))).await;
    assert_eq!((keys.status().fetches(), keys.status().keys()), (2, 2));
    service.accepts(&old).await;
}

#[tokio::test]
async fn a_fetch_for_a_new_key_withdraws_the_keys_that_are_no_longer_published() {
    let Some(provider) = OidcProvider::start(&[one()]) else { return };
    let audience = resource("ES256");
    let service = Service::new(&provider, &audience, discover(&provider).await);
    let old = client_token(&provider, &audience).await;
    provider.rotate(&[two()]);
    service.accepts(&old).await;
    service.accepts(&client_token(&provider, &audience).await).await;
    assert_eq!(service.rejects(&old).await, TokenError::UnknownKey);
}

#[tokio::test]
async fn a_withdrawn_key_is_rejected_after_the_refresh_interval_without_any_token_of_another() {
    let Some(provider) = OidcProvider::start(&[one()]) else { return };
    let audience = resource("ES256");
    let service = Service::new(&provider, &audience, refreshed_each_second(&provider).await);
    let old = client_token(&provider, &audience).await;
    service.accepts(&old).await;
    provider.rotate(&[two()]);
    until("the old token is rejected", async || {
        service.call(&old).await.status == StatusCode::UNAUTHORIZED
    })
    .await;
    assert_eq!(service.rejects(&old).await, TokenError::UnknownKey);
}

/// RFC 7517 §4.5 leaves it to the issuer how it uses the ids of keys.
#[tokio::test]
async fn a_key_that_is_replaced_under_its_id_is_found_after_the_refresh_interval() {
    let Some(provider) = OidcProvider::start(&[one()]) else { return };
    let audience = resource("ES256");
    let service = Service::new(&provider, &audience, refreshed_each_second(&provider).await);
    let old = client_token(&provider, &audience).await;
    provider.rotate(&[ProviderKey::new("one", P256_OTHER)]);
    let new = client_token(&provider, &audience).await;
    until("the new token is accepted", async || service.call(&new).await.status == StatusCode::OK)
        .await;
    assert_eq!(service.rejects(&old).await, TokenError::Signature);
}
