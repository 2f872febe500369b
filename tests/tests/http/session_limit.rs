//! The limit of sessions of a subject.

use http::StatusCode;
use tower_jwt_auth::SignIn;
use tower_jwt_auth::sessions::{EndReason, SessionError, SessionLimit};
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth_tests::{Harness, Profile};

#[tokio::test]
async fn beyond_the_limit_the_oldest_session_ends() {
    let harness = Harness::new().with_sessions(|s| s.session_limit(SessionLimit::end_oldest(2)));
    let first = harness.sign_in().await;
    harness.advance(1);
    let second = harness.sign_in().await;
    harness.advance(1);
    let bob =
        harness.sign_in_as(SignIn::new("bob").with_claims(Profile { name: "Bob".into() })).await;
    let third = harness.sign_in().await;
    let refused = harness.call(first.access().as_str()).await;
    refused.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    for tokens in [&second, &third, &bob] {
        assert_eq!(harness.call(tokens.access().as_str()).await.status, StatusCode::OK);
    }
    let ended = harness.store.load(first.refresh().session_id()).await.unwrap().unwrap();
    assert_eq!(ended.session.record().ended.unwrap().reason, EndReason::Limit);
}

#[tokio::test]
async fn the_limit_is_100_unless_set() {
    let harness = Harness::new();
    let mut access = Vec::new();
    for _ in 0..100 {
        access.push(harness.sign_in().await.access().as_str().to_owned());
    }
    assert_eq!(harness.call(&access[0]).await.status, StatusCode::OK);
    access.push(harness.sign_in().await.access().as_str().to_owned());
    for (at, token) in access.iter().enumerate() {
        let expected = if at == 0 { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
        assert_eq!(harness.call(token).await.status, expected, "session {at}");
    }
}

#[tokio::test]
async fn beyond_the_limit_a_sign_in_is_refused_if_so_configured() {
    let harness = Harness::new().with_sessions(|s| s.session_limit(SessionLimit::reject_new(2)));
    let first = harness.sign_in().await;
    harness.advance(1);
    let _second = harness.sign_in().await;
    harness.advance(1);
    let third = harness.sessions.start(Harness::alice()).await;
    assert!(matches!(third, Err(SessionError::Limit)), "{third:?}");
    assert_eq!(harness.call(first.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(harness.sessions.list("alice", None).await.unwrap().sessions.len(), 2);
    harness.logout(first.refresh().as_str()).await;
    assert!(harness.sessions.start(Harness::alice()).await.is_ok());
}

// The store counts the sessions after the insert.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_sign_ins_do_not_exceed_the_limit() {
    let harness = Harness::new().with_sessions(|s| s.session_limit(SessionLimit::end_oldest(3)));
    let mut racing = Vec::new();
    for _ in 0..20 {
        let harness = harness.clone();
        racing.push(tokio::spawn(async move { harness.sign_in().await }));
    }
    for racer in racing {
        let _tokens = racer.await.unwrap();
    }
    assert!(harness.sessions.list("alice", None).await.unwrap().sessions.len() <= 3);
}

#[tokio::test]
async fn a_session_that_the_limit_ends_is_in_the_log() {
    let harness = Harness::new().with_sessions(|s| s.session_limit(SessionLimit::end_oldest(1)));
    let first = harness.sign_in().await;
    let _ = harness.sign_in().await;
    let session = first.refresh().session_id().to_string();
    let events =
        tower_jwt_auth_tests::log_capture::lines_containing("a session was ended for a new one");
    assert!(events.iter().any(|line| line.contains(&session) && line.contains("INFO")));
}
