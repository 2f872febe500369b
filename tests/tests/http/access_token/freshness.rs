//! Required freshness of the login.

use std::time::Duration;

use http::StatusCode;
use tower::{Layer, service_fn};
use tower_jwt_auth::tokens::RequestError;
use tower_jwt_auth::{AuthError, JwtAuthLayer, RequireFreshLoginLayer, SignIn};
use tower_jwt_auth_tests::harness::{Profile, echo, reason, request, send_to};
use tower_jwt_auth_tests::{Harness, START, TestResponse, TokenSigner};

use super::fixture::Fixture;
use super::test_keys::OTHER_SECRET;

const MAX_AGE: Duration = Duration::from_secs(100);

/// Calls a service that requires a login no older than 100 seconds.
async fn call_for_freshness(auth: &JwtAuthLayer<Profile>, token: &str) -> TestResponse {
    let inner = RequireFreshLoginLayer::new(MAX_AGE).unwrap().layer(service_fn(echo));
    let header = format!("Bearer {token}");
    send_to(auth.layer(inner), request("GET", &[("authorization", &header)])).await
}

#[track_caller]
fn assert_stale(response: &TestResponse) {
    response.assert_refused(StatusCode::UNAUTHORIZED, "insufficient_user_authentication");
    let challenge = response.challenge().unwrap();
    assert!(challenge.starts_with("Bearer "), "{challenge}");
    assert!(challenge.ends_with(r#", max_age="100""#), "{challenge}");
    assert_eq!(reason(response), AuthError::StaleLogin { max_age: MAX_AGE });
}

#[tokio::test]
async fn a_login_is_stale_from_the_maximum_age_on_to_the_millisecond() {
    let fixture = Fixture::own().await;
    let token = fixture.builder().sign(&fixture.signer);
    for millis in [-1, 0, 99_000, 99_999] {
        fixture.at_millis(millis);
        assert_eq!(call_for_freshness(&fixture.auth, &token).await.status, StatusCode::OK);
    }
    for millis in [100_000, 100_001, 304_999] {
        fixture.at_millis(millis);
        assert_stale(&call_for_freshness(&fixture.auth, &token).await);
        fixture.accepts_token(&token).await;
    }
}

#[tokio::test]
async fn a_token_without_auth_time_is_stale() {
    let fixture = Fixture::own().await;
    let token = fixture.builder().without_claim("auth_time").sign(&fixture.signer);
    fixture.accepts_token(&token).await;
    assert_stale(&call_for_freshness(&fixture.auth, &token).await);
}

#[tokio::test]
async fn a_refreshed_token_is_not_fresh_and_a_new_login_is() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.advance(60);
    let refreshed = harness.refresh(tokens.refresh().as_str()).await;
    let token = refreshed.access_token();
    assert_eq!(call_for_freshness(&harness.auth, &token).await.status, StatusCode::OK);
    harness.advance(40);
    assert_stale(&call_for_freshness(&harness.auth, &token).await);
    let refreshed = harness.refresh(refreshed.cookie_value().unwrap()).await;
    let token = refreshed.access_token();
    assert_stale(&call_for_freshness(&harness.auth, &token).await);
    assert_eq!(harness.call(&token).await.status, StatusCode::OK);

    let again = harness.sign_in().await;
    let response = call_for_freshness(&harness.auth, again.access().as_str()).await;
    assert_eq!(response.status, StatusCode::OK);
    // This login was on another client, long ago.
    let earlier =
        SignIn::new("alice").with_claims(Profile { name: "Alice".into() }).with_auth_time(START);
    let earlier = harness.sign_in_as(earlier).await;
    assert_stale(&call_for_freshness(&harness.auth, earlier.access().as_str()).await);
}

#[tokio::test]
async fn a_bad_token_is_invalid_and_not_stale() {
    let fixture = Fixture::own().await;
    let token = fixture.builder().claim("auth_time", 1).sign(&TokenSigner::hs256(&OTHER_SECRET));
    let response = call_for_freshness(&fixture.auth, &token).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    let response = call_for_freshness(&fixture.auth, "a b").await;
    assert_eq!(reason(&response), AuthError::Request(RequestError::Malformed));
}
