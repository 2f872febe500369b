//! Logging out of several sessions requires a token that is valid for a refresh.

use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::sessions::{EndReason, RefreshRejection, Session};
use tower_jwt_auth::store::{Revocation, SessionStore};
use tower_jwt_auth::{RotationPolicy, Sessions, Tokens};
use tower_jwt_auth_tests::harness::assert_rejected;
use tower_jwt_auth_tests::{Harness, ISSUER, TestResponse};

/// Calls both services that end more sessions than that of the cookie.
async fn both(harness: &Harness, token: &str) -> [TestResponse; 2] {
    [harness.logout_everywhere(token).await, harness.logout_others(token).await]
}

async fn row(harness: &Harness, tokens: &Tokens) -> Session {
    harness.store.load(tokens.refresh().session_id()).await.unwrap().unwrap().session
}

async fn revoke_by_id(harness: &Harness, tokens: &Tokens) {
    let revocation = Revocation::Token {
        issuer: ISSUER.into(),
        jti: tokens.refresh().id().to_string(),
        until: harness.now() + Duration::from_secs(90 * 24 * 3600),
    };
    harness.sessions.revoke(revocation).await.unwrap();
}

#[tokio::test]
async fn a_spent_token_ends_its_own_session_alone() {
    for others in [false, true] {
        let harness = Harness::without_sweeper();
        let (stolen, other) = (harness.sign_in().await, harness.sign_in().await);
        let mut last = stolen.refresh().as_str().to_owned();
        for _ in 0..2 {
            last = harness.refresh(&last).await.cookie_value().unwrap().to_owned();
            harness.advance(60);
        }
        let spent = stolen.refresh().as_str();
        let response = match others {
            true => harness.logout_others(spent).await,
            false => harness.logout_everywhere(spent).await,
        };
        assert_rejected(&response, RefreshRejection::Reuse);
        let ended = row(&harness, &stolen).await.into_record().ended;
        assert_eq!(ended.map(|ended| ended.reason), Some(EndReason::Reuse));
        assert_eq!(harness.refresh(&last).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(harness.refresh(other.refresh().as_str()).await.status, StatusCode::OK);
        let events = tower_jwt_auth_tests::log_capture::lines_containing(
            "a spent refresh token was presented",
        );
        let session = stolen.refresh().session_id().to_string();
        assert!(events.iter().any(|line| line.contains(&session) && line.contains("WARN")));
    }
}

#[tokio::test]
async fn a_strict_policy_also_holds_for_logouts() {
    let harness =
        Harness::without_sweeper().with_sessions(|s| s.rotation(RotationPolicy::strict()));
    let (first, other) = (harness.sign_in().await, harness.sign_in().await);
    harness.refresh(first.refresh().as_str()).await;
    harness.advance(60);
    assert_rejected(
        &harness.logout_everywhere(first.refresh().as_str()).await,
        RefreshRejection::Reuse,
    );
    assert!(row(&harness, &first).await.record().ended.is_some());
    assert!(row(&harness, &other).await.record().ended.is_none());
}

#[tokio::test]
async fn a_token_that_was_revoked_by_id_ends_nothing() {
    let harness = Harness::without_sweeper();
    let (revoked, other) = (harness.sign_in().await, harness.sign_in().await);
    revoke_by_id(&harness, &revoked).await;
    for response in both(&harness, revoked.refresh().as_str()).await {
        assert_rejected(&response, RefreshRejection::Revoked);
    }
    for tokens in [&revoked, &other] {
        assert!(row(&harness, tokens).await.record().ended.is_none());
    }
}

// A refresh with this token would return the revoked successor, so the token is not valid for a refresh.
#[tokio::test]
async fn a_token_whose_successor_was_revoked_by_id_ends_nothing() {
    for pause in [1, 60] {
        let harness = Harness::without_sweeper();
        let (first, other) = (harness.sign_in().await, harness.sign_in().await);
        let successor = harness.sessions.refresh(first.refresh().as_str()).await.unwrap();
        revoke_by_id(&harness, &successor).await;
        harness.advance(pause);
        for response in both(&harness, first.refresh().as_str()).await {
            assert_rejected(&response, RefreshRejection::Revoked);
        }
        for tokens in [&first, &other] {
            assert!(row(&harness, tokens).await.record().ended.is_none());
        }
    }
}

#[tokio::test]
async fn a_token_of_an_ended_session_ends_nothing() {
    let harness = Harness::without_sweeper();
    let over = harness.sign_in().await;
    harness.advance(31 * 24 * 3600);
    let other = harness.sign_in().await;
    for response in both(&harness, over.refresh().as_str()).await {
        assert_rejected(&response, RefreshRejection::Idle);
    }
    assert!(row(&harness, &other).await.record().ended.is_none());
    harness.advance(60 * 24 * 3600);
    for response in both(&harness, over.refresh().as_str()).await {
        assert_rejected(&response, RefreshRejection::Expired);
    }
}

#[tokio::test]
async fn a_tab_can_log_out_everywhere_just_after_another_tab_refreshed() {
    for pause in [0, 1, 60] {
        let harness = Harness::without_sweeper();
        let (mine, other) = (harness.sign_in().await, harness.sign_in().await);
        let refreshed = harness.refresh(mine.refresh().as_str()).await;
        harness.advance(pause);
        let response = harness.logout_everywhere(mine.refresh().as_str()).await;
        assert_eq!(response.status, StatusCode::NO_CONTENT, "{pause} seconds later");
        for token in [other.refresh().as_str(), refreshed.cookie_value().unwrap()] {
            assert_eq!(harness.refresh(token).await.status, StatusCode::UNAUTHORIZED);
        }
    }
}

#[tokio::test]
async fn the_check_does_not_change_the_current_session() {
    for pause in [1, 60] {
        let harness = Harness::without_sweeper();
        let (mine, other) = (harness.sign_in().await, harness.sign_in().await);
        harness.refresh(mine.refresh().as_str()).await;
        harness.advance(pause);
        let before = row(&harness, &mine).await;
        let response = harness.logout_others(mine.refresh().as_str()).await;
        assert_eq!(response.status, StatusCode::NO_CONTENT);
        assert_eq!(row(&harness, &mine).await, before);
        assert!(row(&harness, &other).await.record().ended.is_some());
    }
}

#[tokio::test]
async fn the_check_uses_the_time_of_the_store() {
    use std::sync::Arc;
    use tower_jwt_auth::store::ManualClock;
    use tower_jwt_auth::{Issuer, RefreshSecrets};
    use tower_jwt_auth_tests::Profile;
    use tower_jwt_auth_tests::harness::REFRESH_SECRET;
    // The node's clock is behind. By this clock the session has not reached its idle expiry.
    let harness = Harness::without_sweeper();
    let issuer = Issuer::new(ISSUER, tower_jwt_auth_tests::AUDIENCE, harness.key.clone())
        .unwrap()
        .with_clock(Arc::new(ManualClock::at(harness.now())));
    let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    let mut behind = harness.clone();
    let sessions = Sessions::builder(issuer, secrets, harness.store.clone())
        .claims::<Profile>()
        .sweep(false)
        .build()
        .unwrap();
    behind.sessions = sessions;
    let over = harness.sign_in().await;
    harness.advance(30 * 24 * 3600);
    let other = harness.sign_in().await;
    for response in both(&behind, over.refresh().as_str()).await {
        assert_rejected(&response, RefreshRejection::Idle);
    }
    assert!(row(&harness, &other).await.record().ended.is_none());
}
