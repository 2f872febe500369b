//! Limits: line 52, and what a configuration may not be.

use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::{
    ConfigError, EndReason, Issuer, RefreshSecrets, RotationPolicy, SessionError, SessionLimit,
    SessionStore, Sessions, SignIn, SigningKey,
};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, Profile, World};

#[tokio::test]
async fn beyond_the_cap_the_oldest_session_ends() {
    let world = World::new().with_sessions(|s| s.with_session_limit(SessionLimit::end_oldest(2)));
    let first = world.sign_in().await;
    world.advance(1);
    let second = world.sign_in().await;
    world.advance(1);
    let bob = world.sign_in_as(SignIn::new("bob", Profile { name: "Bob".into() })).await;
    let third = world.sign_in().await;
    let refused = world.call(first.access().as_str()).await;
    refused.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    for tokens in [&second, &third, &bob] {
        assert_eq!(world.call(tokens.access().as_str()).await.status, StatusCode::OK);
    }
    let ended = world.store.load(first.refresh().session_id()).await.unwrap().unwrap();
    assert_eq!(ended.session.record().ended.unwrap().reason, EndReason::Limit);
}

#[tokio::test]
async fn beyond_the_cap_a_sign_in_is_refused_where_that_is_configured() {
    let world = World::new().with_sessions(|s| s.with_session_limit(SessionLimit::reject_new(2)));
    let first = world.sign_in().await;
    world.advance(1);
    let _second = world.sign_in().await;
    world.advance(1);
    let third = world.sessions.start(World::alice()).await;
    assert!(matches!(third, Err(SessionError::Limit)), "{third:?}");
    assert_eq!(world.call(first.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(world.sessions.list("alice", None).await.unwrap().sessions.len(), 2);
    world.logout(first.refresh().as_str()).await;
    assert!(world.sessions.start(World::alice()).await.is_ok());
}

// The count is taken after the insert.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_at_once_do_not_slip_below_the_cap() {
    let world = World::new().with_sessions(|s| s.with_session_limit(SessionLimit::end_oldest(3)));
    let mut racing = Vec::new();
    for _ in 0..20 {
        let world = world.clone();
        racing.push(tokio::spawn(async move { world.sign_in().await }));
    }
    for racer in racing {
        let _tokens = racer.await.unwrap();
    }
    assert!(world.sessions.list("alice", None).await.unwrap().sessions.len() <= 3);
}

fn issuer() -> Issuer {
    Issuer::new(ISSUER, AUDIENCE, SigningKey::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn what_cannot_be_meant_is_an_error_that_says_what_to_change() {
    let world = World::new();
    let policy = |policy| world.sessions.clone().with_policy(policy).map(|_| ());
    let day = Duration::from_secs(24 * 3600);
    let errors = [
        policy(RotationPolicy::default().with_idle(100 * day)),
        policy(RotationPolicy::default().with_idle(Duration::ZERO)),
        policy(RotationPolicy::default().with_absolute(Duration::MAX)),
        policy(RotationPolicy::default().with_grace(Duration::from_secs(300))),
        issuer().with_access_lifetime(Duration::ZERO).map(|_| ()),
        issuer().with_access_lifetime(2 * day).map(|_| ()),
        issuer().with_access_lifetime(Duration::from_millis(1500)).map(|_| ()),
        issuer().with_client_id("").map(|_| ()),
        Issuer::new("", AUDIENCE, SigningKey::generate().unwrap()).map(|_| ()),
        Issuer::new(ISSUER, "", SigningKey::generate().unwrap()).map(|_| ()),
        RefreshSecrets::new(&[1; 31]).map(|_| ()),
        RefreshSecrets::new(&[1; 32]).unwrap().with_previous(&[1; 32]).map(|_| ()),
        world.auth.clone().with_realm("").map(|_| ()),
        world.auth.require_scope("").map(|_| ()),
        world.auth.require_scope("a\"b").map(|_| ()),
    ];
    for error in errors {
        let error = error.expect_err("it cannot be meant").to_string();
        assert!(error.len() > 30, "{error}");
    }
}

#[test]
fn sessions_outside_of_a_runtime_are_an_error() {
    let secrets = RefreshSecrets::generate().unwrap();
    let store = tower_jwt_auth::MemoryStore::new();
    let error = Sessions::<()>::new(issuer(), secrets, store).unwrap_err();
    assert_eq!(error, ConfigError::NoRuntime);
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_put_into_a_token_is_an_error_and_leaves_nothing() {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Shadow {
        scope: String,
    }
    let store = tower_jwt_auth::MemoryStore::new();
    let sessions = Sessions::<Shadow>::new(issuer(), RefreshSecrets::generate().unwrap(), store);
    let sessions = sessions.unwrap();
    let shadow = sessions.start(SignIn::new("alice", Shadow { scope: "admin".into() })).await;
    assert!(matches!(shadow, Err(SessionError::Issue(_))), "{shadow:?}");
    assert!(sessions.list("alice", None).await.unwrap().sessions.is_empty());

    let world = World::new();
    let long = Profile { name: "x".repeat(9000) };
    let long = world.sessions.start(SignIn::new("alice", long)).await;
    assert!(matches!(long, Err(SessionError::Issue(_))), "{long:?}");
    let empty = world.sessions.start(SignIn::new("", Profile { name: String::new() })).await;
    assert!(matches!(empty, Err(SessionError::NoSubject)), "{empty:?}");
    for scope in ["a  b", "a\"b", "ä", "a\nb"] {
        let odd = world.sessions.start(World::alice().with_scope(scope)).await;
        assert!(matches!(odd, Err(SessionError::Scope)), "{odd:?}");
    }
    assert!(world.sessions.list("alice", None).await.unwrap().sessions.is_empty());
}

#[tokio::test]
async fn who_is_signed_out_by_the_limit_is_in_the_log() {
    let world = World::new().with_sessions(|s| s.with_session_limit(SessionLimit::end_oldest(1)));
    let first = world.sign_in().await;
    let _ = world.sign_in().await;
    let session = first.refresh().session_id().to_string();
    let events = tower_jwt_auth_tests::logs::lines_with("a session was ended for a new one");
    assert!(events.iter().any(|line| line.contains(&session) && line.contains("INFO")));
}
