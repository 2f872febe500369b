//! Retries within the grace window are replayed.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::sessions::RefreshRejection;
use tower_jwt_auth::store::{Clock as _, ManualClock, SessionStore};
use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, RotationPolicy, Sessions, SigningKey};
use tower_jwt_auth_tests::harness::{REFRESH_SECRET, assert_rejected};
use tower_jwt_auth_tests::token_builder::decode;
use tower_jwt_auth_tests::{AUDIENCE, Harness, ISSUER, Profile, START, TestResponse};

use super::generation;

#[tokio::test]
async fn within_the_window_the_current_token_and_the_one_before_are_answered_with_the_current_one()
{
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let current = harness.refresh(tokens.refresh().as_str()).await;
    let current = current.cookie_value().unwrap();
    for _ in 0..3 {
        harness.advance(3);
        let row = harness.store.load(tokens.refresh().session_id()).await.unwrap().unwrap().session;
        for token in [tokens.refresh().as_str(), current] {
            let response = harness.refresh(token).await;
            assert_eq!(response.status, StatusCode::OK);
            assert_eq!(response.cookie_value(), Some(current));
            assert_eq!(harness.call(&response.access_token()).await.status, StatusCode::OK);
        }
        let after =
            harness.store.load(tokens.refresh().session_id()).await.unwrap().unwrap().session;
        assert_eq!(after, row, "a replay writes nothing");
    }
    harness.advance(1);
    assert_eq!(generation(&harness.refresh(current).await), 2, "the window has ended");
}

/// Each tab repeatedly sends the cookie that it read a moment ago, as in a browser without a lock between tabs.
#[tokio::test]
async fn any_number_of_tabs_that_refresh_again_and_again_stay_signed_in() {
    for tabs in [2, 5, 10] {
        let harness = Harness::new();
        let tokens = harness.sign_in().await;
        let mut jar = tokens.refresh().as_str().to_owned();
        for round in 0..50_u64 {
            // All tabs have read the cookie before the first response arrives.
            let held = jar.clone();
            for _ in 0..tabs {
                let response = harness.refresh(&held).await;
                assert_eq!(response.status, StatusCode::OK, "round {round}, {tabs} tabs");
                jar = response.cookie_value().unwrap().to_owned();
            }
            harness.advance(round % 4 * 5);
        }
        let row = harness.store.load(tokens.refresh().session_id()).await.unwrap().unwrap().session;
        assert!(row.generation() <= 38, "at most one rotation in a window");
    }
}

#[tokio::test]
async fn any_node_answers_a_retry_with_the_same_successor() {
    let harness = Harness::new();
    let sibling = harness.another_node();
    let tokens = harness.sign_in().await;
    let first = harness.refresh(tokens.refresh().as_str()).await;
    let second = sibling.refresh(tokens.refresh().as_str()).await;
    assert_eq!(first.cookie_value(), second.cookie_value());
}

// A replay writes nothing, so its access token must not expire later than the row records.
#[tokio::test]
async fn the_access_token_of_a_replay_expires_with_that_of_the_rotation() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let winner = harness.refresh(tokens.refresh().as_str()).await;
    harness.advance(9);
    let replay = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(replay.json()["expires_in"], 291);
    let exp = |response: &TestResponse| decode(&response.access_token(), 1)["exp"].clone();
    assert_eq!(exp(&replay), exp(&winner));
    // A late retry writes, and its access token has the full lifetime.
    harness.advance(60);
    let late = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(late.json()["expires_in"], 300);
    let row = harness.sessions.list("alice", None).await.unwrap().sessions.remove(0).into_record();
    assert_eq!(exp(&late), row.access_until.unix_seconds());
}

#[tokio::test]
async fn responses_of_one_generation_in_any_order_leave_a_working_cookie() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let responses = [
        harness.refresh(tokens.refresh().as_str()).await,
        harness.refresh(tokens.refresh().as_str()).await,
        harness.refresh(tokens.refresh().as_str()).await,
    ];
    // The browser keeps the cookie that arrives last.
    for response in responses {
        let next = harness.refresh(response.cookie_value().unwrap()).await;
        assert_eq!(next.status, StatusCode::OK);
        assert_eq!(generation(&next), 1);
    }
}

#[tokio::test]
async fn without_a_grace_window_every_retry_is_reuse() {
    let policy = RotationPolicy::default().with_grace(Duration::ZERO);
    let harness = Harness::new().with_sessions(|s| s.rotation(policy));
    let tokens = harness.sign_in().await;
    let first = harness.refresh(tokens.refresh().as_str()).await;
    let second = harness.refresh(first.cookie_value().unwrap()).await;
    assert_eq!(generation(&second), 2, "every refresh rotates");
    assert_rejected(&harness.refresh(first.cookie_value().unwrap()).await, RefreshRejection::Reuse);
}

/// The clock of the store's server was an hour ahead and is corrected, or a standby takes over.
#[tokio::test]
async fn a_store_clock_that_is_set_back_leaves_no_session_in_its_window() {
    let (node, engine) = (Arc::new(ManualClock::at(START)), Arc::new(ManualClock::at(START)));
    let key = SigningKey::generate().unwrap();
    let issuer = Issuer::new(ISSUER, AUDIENCE, key).unwrap().with_clock(node.clone());
    let store = MemoryStore::with_clock(engine.clone());
    let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    let sessions = Sessions::builder(issuer, secrets, store).claims::<Profile>().build().unwrap();
    let tokens = sessions.start(Harness::alice()).await.unwrap();
    engine.advance(Duration::from_secs(3600));
    let mut last = sessions.refresh(tokens.refresh().as_str()).await.unwrap();
    for minutes in [6, 20, 50] {
        node.set(START + Duration::from_secs(60 * minutes));
        engine.set(node.now());
        let next = sessions.refresh(last.refresh().as_str()).await.unwrap();
        assert_eq!(next.refresh().generation(), last.refresh().generation() + 1);
        assert_eq!(next.access().expires_in(), Duration::from_secs(300));
        last = next;
    }
}

// A short access lifetime shrinks the grace window and is not a configuration error.
#[tokio::test]
async fn a_short_access_lifetime_shrinks_the_grace_window() {
    use tower_jwt_auth::{Issuer, RefreshSecrets, Sessions, SigningKey};
    let harness = Harness::new();
    let issuer = Issuer::new(ISSUER, "a", SigningKey::generate().unwrap())
        .unwrap()
        .with_clock(harness.clock.clone())
        .with_access_lifetime(Duration::from_secs(2))
        .unwrap();
    let secrets = RefreshSecrets::generate().unwrap();
    let sessions = Sessions::builder(issuer, secrets, harness.store.clone())
        .claims::<Profile>()
        .build()
        .unwrap();
    let tokens = sessions.start(Harness::alice()).await.unwrap();
    let first = sessions.refresh(tokens.refresh().as_str()).await.unwrap();
    let replayed = sessions.refresh(tokens.refresh().as_str()).await.unwrap();
    assert_eq!(first.refresh().as_str(), replayed.refresh().as_str());
    assert_eq!(replayed.access().expires_in(), Duration::from_secs(2));
}
