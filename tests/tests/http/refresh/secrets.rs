//! Rotation of the refresh secret.

use tower_jwt_auth::{Issuer, RefreshSecrets, Sessions};
use tower_jwt_auth_tests::harness::REFRESH_SECRET;
use tower_jwt_auth_tests::{AUDIENCE, Harness, ISSUER, Profile};

// After a rotation of the secret, tokens of the previous secret are accepted. The new tokens use the current secret.
#[tokio::test]
async fn refresh_tokens_of_a_previous_secret_continue_under_the_current_one() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let issuer = Issuer::new(ISSUER, AUDIENCE, harness.key.clone())
        .unwrap()
        .with_clock(harness.clock.clone());
    let current = RefreshSecrets::new(b"the next secret of refresh tokens").unwrap();
    let both = current.clone().with_previous(&REFRESH_SECRET).unwrap();
    let rotated = Sessions::builder(issuer.clone(), both, harness.store.clone())
        .claims::<Profile>()
        .build()
        .unwrap();
    let next = rotated.refresh(tokens.refresh().as_str()).await.unwrap();
    let after = Sessions::builder(issuer, current, harness.store.clone())
        .claims::<Profile>()
        .build()
        .unwrap();
    assert!(after.refresh(next.refresh().as_str()).await.is_ok());
    assert!(after.refresh(tokens.refresh().as_str()).await.is_err());
}
