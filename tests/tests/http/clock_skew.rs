//! Nodes with different clocks.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::store::ManualClock;
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{
    AuthError, ConfigError, Issuer, JwtAuthLayer, RefreshSecrets, Sessions, SignIn, SigningKey,
    Verifier,
};
use tower_jwt_auth_tests::harness::{Profile, REFRESH_SECRET, call_behind, reason};
use tower_jwt_auth_tests::token_builder::decode;
use tower_jwt_auth_tests::{AUDIENCE, Harness, ISSUER, START};

const SKEW: Duration = Duration::from_secs(30);

fn issuer(key: &SigningKey) -> Issuer {
    Issuer::new(ISSUER, AUDIENCE, key.clone()).unwrap()
}

/// Creates another node on the harness's store and keys, with this issuer.
fn node(harness: &Harness, issuer: Issuer) -> Sessions<Profile> {
    let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    Sessions::builder(issuer, secrets, harness.store.clone()).claims::<Profile>().build().unwrap()
}

/// Creates a node whose clock is ahead of the harness's.
fn node_ahead(harness: &Harness) -> Sessions<Profile> {
    let clock = Arc::new(ManualClock::at(START + SKEW));
    node(harness, issuer(&harness.key).with_clock(clock))
}

/// Creates a node with the harness's clock that grants its own tokens this leeway.
async fn granting(harness: &Harness, leeway: Duration) -> JwtAuthLayer<Profile> {
    let issuer =
        issuer(&harness.key).with_clock(harness.clock.clone()).with_leeway(leeway).unwrap();
    let sessions = node(harness, issuer);
    sessions.revocations().ready().await;
    JwtAuthLayer::for_sessions(&sessions)
}

/// Returns a time claim of an access token, in seconds.
fn time(token: &str, claim: &str) -> i64 {
    decode(token, 1)[claim].as_i64().unwrap()
}

#[tokio::test]
async fn a_token_of_a_node_that_is_ahead_is_accepted_within_the_leeway_of_the_issuer() {
    let harness = Harness::new();
    let tokens = node_ahead(&harness).start(Harness::alice()).await.unwrap();
    let token = tokens.access().as_str();
    for (seconds, accepted) in [(5, false), (29, false), (30, true), (300, true)] {
        let auth = granting(&harness, Duration::from_secs(seconds)).await;
        let response = call_behind(&auth, token).await;
        assert_eq!(response.status == StatusCode::OK, accepted, "{seconds} s");
        if !accepted {
            assert_eq!(reason(&response), AuthError::Token(TokenError::Early("iat")));
        }
    }
    let unset = harness.call(token).await;
    assert_eq!(reason(&unset), AuthError::Token(TokenError::Early("iat")), "5 s, unless set");
}

#[tokio::test]
async fn a_verifier_of_an_issuer_also_grants_its_leeway_after_the_expiry() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let verifier = |leeway| {
        let issuer = issuer(&harness.key).with_leeway(Duration::from_secs(leeway)).unwrap();
        Verifier::new(&issuer).with_claims::<Profile>()
    };
    let expiry = tokens.access().expires_at();
    let last = expiry + Duration::from_millis(59_999);
    let token = tokens.access().as_str();
    assert!(verifier(60).verify(token, last).is_ok());
    let late = verifier(60).verify(token, expiry + Duration::from_secs(60));
    assert_eq!(late.unwrap_err(), TokenError::Expired);
    assert_eq!(verifier(0).verify(token, expiry).unwrap_err(), TokenError::Expired);
}

#[test]
fn a_leeway_of_more_than_five_minutes_is_refused_at_build_time() {
    let issuer = issuer(&SigningKey::generate().unwrap());
    assert!(issuer.clone().with_leeway(Duration::from_secs(300)).is_ok());
    let error = issuer.with_leeway(Duration::from_millis(300_001)).unwrap_err();
    assert!(matches!(error, ConfigError::Duration { what: "leeway", .. }), "{error}");
}

/// The time of login in the row is from the other node's clock.
#[tokio::test]
async fn a_node_that_is_behind_accepts_what_it_refreshes_itself() {
    let harness = Harness::new();
    let tokens = node_ahead(&harness).start(Harness::alice()).await.unwrap();
    let refreshed = harness.refresh(tokens.refresh().as_str()).await;
    let token = refreshed.access_token();
    assert_eq!(time(&token, "iat"), START.unix_seconds());
    assert_eq!(time(&token, "auth_time"), START.unix_seconds());
    assert_eq!(harness.call(&token).await.status, StatusCode::OK);

    // After this node's clock has passed the login, the token has the original time.
    harness.advance(60);
    let later = harness.refresh(refreshed.cookie_value().unwrap()).await;
    assert_eq!(time(&later.access_token(), "auth_time"), (START + SKEW).unix_seconds());
}

#[tokio::test]
async fn a_login_time_in_the_future_counts_as_now_from_then_on() {
    let harness = Harness::new();
    let future = START + Duration::from_secs(3600);
    let who =
        SignIn::new("alice").with_claims(Profile { name: "Alice".into() }).with_auth_time(future);
    let tokens = harness.sign_in_as(who).await;
    let token = tokens.access().as_str();
    assert_eq!(time(token, "auth_time"), START.unix_seconds());
    assert_eq!(harness.call(token).await.status, StatusCode::OK);
    harness.advance(600);
    let refreshed = harness.refresh(tokens.refresh().as_str()).await;
    let auth_time = time(&refreshed.access_token(), "auth_time");
    assert_eq!(auth_time, START.unix_seconds(), "a refresh does not make a login fresh");
}
