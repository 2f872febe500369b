//! Nodes whose clocks are apart.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::{
    AuthError, ConfigError, Issuer, JwtAuthLayer, ManualClock, RefreshSecrets, Sessions, SignIn,
    SigningKey, TokenError, Verifier,
};
use tower_jwt_auth_tests::forge::decode;
use tower_jwt_auth_tests::world::{Profile, REFRESH_SECRET, call_behind, reason};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, START, World};

const SKEW: Duration = Duration::from_secs(30);

fn issuer(key: &SigningKey) -> Issuer {
    Issuer::new(ISSUER, AUDIENCE, key.clone()).unwrap()
}

/// Another node on the world's store and keys, with this issuer.
fn node(world: &World, issuer: Issuer) -> Sessions<Profile> {
    let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    Sessions::new(issuer, secrets, world.store.clone()).unwrap()
}

/// A node whose clock is ahead of the world's.
fn node_ahead(world: &World) -> Sessions<Profile> {
    let clock = Arc::new(ManualClock::at(START + SKEW));
    node(world, issuer(&world.key).with_clock(clock))
}

/// A node with the world's clock that grants its own tokens this leeway.
async fn granting(world: &World, leeway: Duration) -> JwtAuthLayer<Profile> {
    let issuer = issuer(&world.key).with_clock(world.clock.clone()).with_leeway(leeway).unwrap();
    let sessions = node(world, issuer);
    sessions.revocations().ready().await;
    JwtAuthLayer::for_sessions(&sessions)
}

/// A time claim of an access token, in seconds.
fn time(token: &str, claim: &str) -> i64 {
    decode(token, 1)[claim].as_i64().unwrap()
}

#[tokio::test]
async fn a_token_of_a_node_that_is_ahead_is_accepted_within_the_leeway_of_the_issuer() {
    let world = World::new();
    let tokens = node_ahead(&world).start(World::alice()).await.unwrap();
    let token = tokens.access().as_str();
    for (seconds, accepted) in [(5, false), (29, false), (30, true), (300, true)] {
        let auth = granting(&world, Duration::from_secs(seconds)).await;
        let answer = call_behind(&auth, token).await;
        assert_eq!(answer.status == StatusCode::OK, accepted, "{seconds} s");
        if !accepted {
            assert_eq!(reason(&answer), AuthError::Token(TokenError::Early("iat")));
        }
    }
    let unset = world.call(token).await;
    assert_eq!(reason(&unset), AuthError::Token(TokenError::Early("iat")), "5 s, unless set");
}

#[tokio::test]
async fn a_verifier_of_an_issuer_grants_its_leeway_after_the_expiry_too() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let verifier = |leeway| {
        let issuer = issuer(&world.key).with_leeway(Duration::from_secs(leeway)).unwrap();
        Verifier::<Profile>::new(&issuer)
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

/// The row's time of login comes from the other node's clock.
#[tokio::test]
async fn a_node_that_is_behind_accepts_what_it_refreshes_itself() {
    let world = World::new();
    let tokens = node_ahead(&world).start(World::alice()).await.unwrap();
    let refreshed = world.refresh(tokens.refresh().as_str()).await;
    let token = refreshed.access_token();
    assert_eq!(time(&token, "iat"), START.unix_seconds());
    assert_eq!(time(&token, "auth_time"), START.unix_seconds());
    assert_eq!(world.call(&token).await.status, StatusCode::OK);

    // Once this node's clock has come past the login, the token names it as it was.
    world.advance(60);
    let later = world.refresh(refreshed.cookie_value().unwrap()).await;
    assert_eq!(time(&later.access_token(), "auth_time"), (START + SKEW).unix_seconds());
}

#[tokio::test]
async fn a_login_that_is_said_to_be_in_the_future_counts_as_now_for_good() {
    let world = World::new();
    let future = START + Duration::from_secs(3600);
    let who = SignIn::new("alice", Profile { name: "Alice".into() }).with_auth_time(future);
    let tokens = world.sign_in_as(who).await;
    let token = tokens.access().as_str();
    assert_eq!(time(token, "auth_time"), START.unix_seconds());
    assert_eq!(world.call(token).await.status, StatusCode::OK);
    world.advance(600);
    let refreshed = world.refresh(tokens.refresh().as_str()).await;
    let auth_time = time(&refreshed.access_token(), "auth_time");
    assert_eq!(auth_time, START.unix_seconds(), "a refresh does not make a login fresh");
}
