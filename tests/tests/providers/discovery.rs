use http::StatusCode;
use tower_jwt_auth::KeySet;
use tower_jwt_auth::keys::RemoteKeySet;
use tower_jwt_auth::tokens::TokenError;

use crate::client::{client_token, jwks, resource, sign_in};
use crate::service::{SECOND, Service, discover};
use crate::test_keys::{ED25519_OTHER, P256, SUPPORTED, provider};
use tower_jwt_auth_tests::servers::{OidcProvider, ProviderKey};
use tower_jwt_auth_tests::token_builder::decode;

#[tokio::test]
async fn tokens_of_clients_and_users_are_accepted_with_discovered_keys() {
    let Some(provider) = provider() else { return };
    let keys = discover(provider).await;
    assert_eq!(keys.status().keys(), SUPPORTED.len());
    let audience = resource("ES256");
    let service = Service::new(provider, &audience, keys.clone());
    let token = client_token(provider, &audience).await;
    assert_eq!(service.accepts(&token).await, "service: read");
    let tokens = sign_in(provider, "alice", &audience).await;
    assert_eq!(service.accepts(&tokens.access_token).await, "alice: read write");
    assert_eq!(keys.status().fetches(), 1);
}

#[tokio::test]
async fn tokens_are_accepted_with_keys_from_the_url_of_the_set_and_from_its_text() {
    let Some(provider) = provider() else { return };
    let audience = resource("ES256");
    let token = client_token(provider, &audience).await;
    let keys = RemoteKeySet::from_jwks_url(&format!("{}/jwks", provider.issuer()));
    let keys = keys.build().unwrap();
    tokio::time::timeout(30 * SECOND, keys.ready()).await.unwrap();
    Service::new(provider, &audience, keys).accepts(&token).await;
    let keys = KeySet::from_jwks(&jwks(provider).await).unwrap();
    Service::new(provider, &audience, keys).accepts(&token).await;
}

#[tokio::test]
async fn tokens_of_another_audience_or_with_another_signature_are_rejected() {
    let Some(provider) = provider() else { return };
    let service = Service::new(provider, &resource("ES256"), discover(provider).await);
    let token = client_token(provider, &resource("ES256")).await;
    service.accepts(&token).await;

    let other = client_token(provider, &resource("ES384")).await;
    assert_eq!(service.rejects(&other).await, TokenError::Audience);
    let (signed, _) = token.rsplit_once('.').unwrap();
    let again = client_token(provider, &resource("ES256")).await;
    let (_, signature) = again.rsplit_once('.').unwrap();
    let mixed = format!("{signed}.{signature}");
    assert_eq!(service.rejects(&mixed).await, TokenError::Signature);
}

/// Both providers have a key with the same id.
#[tokio::test]
async fn tokens_of_another_provider_are_rejected() {
    let Some(provider) = provider() else { return };
    let key = ProviderKey::new("EdDSA", ED25519_OTHER).with_algorithm("EdDSA");
    let Some(other) = OidcProvider::start(&[key]) else { return };
    let audience = resource("EdDSA");
    let service = Service::new(provider, &audience, discover(provider).await);
    service.accepts(&client_token(provider, &audience).await).await;
    let token = client_token(&other, &audience).await;
    assert_eq!(decode(&token, 0)["kid"], "EdDSA");
    assert_eq!(service.rejects(&token).await, TokenError::Issuer);
    // The keys of the first one do not verify the tokens of the other one.
    let service = Service::new(&other, &audience, discover(provider).await);
    assert_eq!(service.rejects(&token).await, TokenError::Signature);
}

#[tokio::test]
async fn a_provider_that_is_down_at_the_start_is_a_503_until_it_is_up() {
    let keys = [ProviderKey::new("one", P256)];
    let Some(mut provider) = OidcProvider::start(&keys) else { return };
    let audience = resource("ES256");
    let token = client_token(&provider, &audience).await;
    provider.kill();
    let remote = RemoteKeySet::discover(&provider.issuer()).build().unwrap();
    let service = Service::new(&provider, &audience, remote.clone());
    let response = service.call(&token).await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);

    provider.start_again(&keys);
    tokio::time::timeout(30 * SECOND, remote.ready()).await.expect("the provider is up");
    service.accepts(&token).await;
}
