//! Idle and absolute expiry.

use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::sessions::RefreshRejection;
use tower_jwt_auth::{Issuer, RefreshSecrets, RotationPolicy, Sessions};
use tower_jwt_auth_tests::harness::{DAY, REFRESH_SECRET, assert_rejected};
use tower_jwt_auth_tests::{AUDIENCE, Harness, ISSUER, Profile};

#[tokio::test]
async fn the_idle_expiry_slides_and_the_absolute_end_does_not() {
    let harness = Harness::new();
    let mut token = harness.sign_in().await.refresh().as_str().to_owned();
    for _ in 0..4 {
        harness.advance(20 * DAY);
        let response = harness.refresh(&token).await;
        assert_eq!(response.status, StatusCode::OK);
        token = response.cookie_value().unwrap().to_owned();
    }
    // On day 80, ten days are left, not thirty.
    let cookie = harness.refresh(&token).await;
    let left = 10 * DAY;
    assert!(cookie.set_cookie().unwrap().contains(&format!("Max-Age={left}")), "{cookie:?}");
    token = cookie.cookie_value().unwrap().to_owned();
    harness.advance(left - 1);
    let last = harness.refresh(&token).await;
    assert_eq!(last.status, StatusCode::OK);
    harness.advance(1);
    let calls = harness.store.session_calls();
    assert_rejected(
        &harness.refresh(last.cookie_value().unwrap()).await,
        RefreshRejection::Expired,
    );
    assert_eq!(harness.store.session_calls(), calls, "the token itself has expired");
}

#[tokio::test]
async fn an_idle_session_ends_and_replays_do_not_keep_it_alive() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let successor = harness.refresh(tokens.refresh().as_str()).await;
    let successor = successor.cookie_value().unwrap();
    // A late retry in the last seconds, and its replay.
    harness.advance(30 * DAY - 5);
    assert_eq!(harness.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
    harness.advance(4);
    assert_eq!(harness.refresh(successor).await.status, StatusCode::OK);
    harness.advance(1);
    assert_rejected(&harness.refresh(successor).await, RefreshRejection::Idle);
    assert_rejected(&harness.refresh(tokens.refresh().as_str()).await, RefreshRejection::Idle);
}

// The lifetimes can be configured.
#[tokio::test]
async fn lifetimes_are_as_configured() {
    let harness = Harness::new();
    let issuer = Issuer::new(ISSUER, AUDIENCE, harness.key.clone())
        .unwrap()
        .with_clock(harness.clock.clone())
        .with_access_lifetime(Duration::from_secs(60))
        .unwrap();
    let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    let policy = RotationPolicy::default()
        .with_idle(Duration::from_secs(DAY))
        .with_absolute(Duration::from_secs(2 * DAY));
    let sessions = Sessions::builder(issuer, secrets, harness.store.clone())
        .claims::<Profile>()
        .rotation(policy)
        .build()
        .unwrap();
    let tokens = sessions.start(Harness::alice()).await.unwrap();
    assert_eq!(tokens.access().expires_in(), Duration::from_secs(60));
    assert_eq!(tokens.refresh().valid_for(), Duration::from_secs(DAY));
    harness.advance(DAY);
    assert!(sessions.refresh(tokens.refresh().as_str()).await.is_err());
}
