use tower_jwt_auth::TrustedIssuer;
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth_tests::token_builder::decode;

use crate::client::{resource, sign_in};
use crate::service::{Service, discover};
use crate::test_keys::provider;

#[tokio::test]
async fn id_tokens_are_rejected_by_their_type() {
    let Some(provider) = provider() else { return };
    let keys = discover(provider).await;
    let id_token = sign_in(provider, "alice", &resource("ES256")).await.id_token;
    // The service accepts the audience of the ID token.
    assert_eq!(decode(&id_token, 1)["aud"], "web");
    let trusted = TrustedIssuer::new(provider.issuer(), "web", keys.clone()).unwrap();
    let service = Service::trusting(trusted.clone());
    assert_eq!(service.rejects(&id_token).await, TokenError::Type);
    // The type and the claims of RFC 9068 are the only rules that reject it.
    let plain = trusted.dangerous_allow_plain_jwt_type();
    let service = Service::trusting(plain.clone());
    assert!(matches!(service.rejects(&id_token).await, TokenError::Missing("jti" | "client_id")));
    let careless = plain.allow_missing_profile_claims().allow_missing_token_id();
    let careless = Service::trusting(careless);
    assert_eq!(careless.accepts(&id_token).await, "alice: ");

    let service = Service::new(provider, &resource("ES256"), keys);
    assert_eq!(service.rejects(&id_token).await, TokenError::Type);
}
