//! Retries after the grace window.

use http::StatusCode;
use tower_jwt_auth::RotationPolicy;
use tower_jwt_auth::sessions::RefreshRejection;
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::harness::{DAY, assert_rejected};

use super::generation;

#[tokio::test]
async fn a_lost_response_can_be_retried_at_any_later_time() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let _lost = harness.refresh(tokens.refresh().as_str()).await;
    harness.advance(7 * DAY);
    let late = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(late.status, StatusCode::OK);
    assert_eq!(generation(&late), 1);
    assert_eq!(harness.call(&late.access_token()).await.status, StatusCode::OK);
    // The late retry opens a window. Within it, a further lost response can be retried.
    harness.advance(9);
    let again = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(again.cookie_value(), late.cookie_value());
    harness.advance(1);
    let next = harness.refresh(again.cookie_value().unwrap()).await;
    assert_eq!(generation(&next), 2);
}

// If late retries of one generation were not counted, a thief could stay for weeks: 8,352 of them were once answered.
#[tokio::test]
async fn a_late_retry_is_granted_once_per_generation() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.refresh(tokens.refresh().as_str()).await;
    harness.advance(10);
    let late = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(generation(&late), 1);
    harness.advance(10);
    assert_rejected(&harness.refresh(tokens.refresh().as_str()).await, RefreshRejection::Reuse);
    assert_rejected(
        &harness.refresh(late.cookie_value().unwrap()).await,
        RefreshRejection::Revoked,
    );
}

#[tokio::test]
async fn late_retries_in_two_consecutive_generations_end_the_session() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.refresh(tokens.refresh().as_str()).await;
    harness.advance(11);
    let late = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(late.status, StatusCode::OK);
    let first = late.cookie_value().unwrap();
    harness.advance(11);
    let second = harness.refresh(first).await;
    harness.advance(11);
    assert_rejected(&harness.refresh(first).await, RefreshRejection::Reuse);
    assert_rejected(
        &harness.refresh(second.cookie_value().unwrap()).await,
        RefreshRejection::Revoked,
    );
}

#[tokio::test]
async fn a_generation_without_a_late_retry_resets_their_count() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let mut token = tokens.refresh().as_str().to_owned();
    for _ in 0..4 {
        let lost = harness.refresh(&token).await;
        harness.advance(11);
        let late = harness.refresh(&token).await;
        assert_eq!(late.cookie_value(), lost.cookie_value());
        harness.advance(11);
        let honest = harness.refresh(late.cookie_value().unwrap()).await;
        harness.advance(11);
        token = honest.cookie_value().unwrap().to_owned();
    }
    assert_eq!(harness.refresh(&token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_policy_can_allow_more_consecutive_late_retries() {
    let policy = RotationPolicy::default().with_late_retries(3);
    let harness = Harness::new().with_sessions(|s| s.rotation(policy.clone()));
    let mut token = harness.sign_in().await.refresh().as_str().to_owned();
    for running in 1..=4 {
        harness.refresh(&token).await;
        harness.advance(11);
        let late = harness.refresh(&token).await;
        if running == 4 {
            assert_rejected(&late, RefreshRejection::Reuse);
            return;
        }
        token = late.cookie_value().unwrap().to_owned();
        harness.advance(11);
    }
}

#[tokio::test]
async fn a_strict_policy_grants_no_late_retry() {
    let harness = Harness::new().with_sessions(|s| s.rotation(RotationPolicy::strict()));
    let tokens = harness.sign_in().await;
    harness.refresh(tokens.refresh().as_str()).await;
    harness.advance(9);
    assert_eq!(harness.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
    harness.advance(1);
    assert_rejected(&harness.refresh(tokens.refresh().as_str()).await, RefreshRejection::Reuse);
}
