//! Revocation of tokens, sessions and subjects.

use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::revocation::TokenStatus;
use tower_jwt_auth::sessions::RefreshRejection;
use tower_jwt_auth::store::Revocation;
use tower_jwt_auth::{Timestamp, Verifier};
use tower_jwt_auth_tests::harness::send_to;
use tower_jwt_auth_tests::token_builder::decode;
use tower_jwt_auth_tests::{Fault, Harness, ISSUER, Profile, TestResponse};

pub(crate) fn assert_dead(response: &TestResponse) {
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn a_revoked_access_token_is_refused_on_the_next_request_and_no_other_is() {
    let harness = Harness::new();
    let (first, second) = (harness.sign_in().await, harness.sign_in().await);
    assert_eq!(harness.call(first.access().as_str()).await.status, StatusCode::OK);
    let revocation = Revocation::Token {
        issuer: ISSUER.into(),
        jti: first.access().id().to_string(),
        until: first.access().expires_at(),
    };
    harness.sessions.revoke(revocation).await.unwrap();
    assert_dead(&harness.call(first.access().as_str()).await);
    assert_eq!(harness.call(second.access().as_str()).await.status, StatusCode::OK);
    let refreshed = harness.refresh(first.refresh().as_str()).await;
    assert_eq!(harness.call(&refreshed.access_token()).await.status, StatusCode::OK);
}

// The token is revoked by its `jti` and refused without a store call.
#[tokio::test]
async fn a_revoked_refresh_token_is_refused_at_once() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.sessions.revocations().ready().await;
    let claims = decode(tokens.refresh().as_str(), 1);
    assert_eq!(claims["jti"], tokens.refresh().id().to_string());
    let revocation = Revocation::Token {
        issuer: ISSUER.into(),
        jti: tokens.refresh().id().to_string(),
        until: Timestamp::from_unix_seconds(claims["exp"].as_i64().unwrap()),
    };
    harness.sessions.revoke(revocation).await.unwrap();
    let calls = harness.store.session_calls();
    let response = harness.refresh(tokens.refresh().as_str()).await;
    assert_dead(&response);
    assert_eq!(response.extensions.get(), Some(&RefreshRejection::Revoked));
    assert_eq!(harness.store.session_calls(), calls);
}

// The other node follows the same log.
#[tokio::test]
async fn a_revocation_reaches_the_other_node() {
    let harness = Harness::new();
    let sibling = harness.another_node();
    let tokens = harness.sign_in().await;
    harness.sessions.revocations().ready().await;
    sibling.sessions.revocations().ready().await;
    assert_eq!(sibling.call(tokens.access().as_str()).await.status, StatusCode::OK);
    harness.logout(tokens.refresh().as_str()).await;
    sibling.until_refused(tokens.access().as_str()).await;
}

#[tokio::test]
async fn revoking_while_the_store_is_unavailable_is_an_error() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.sessions.revocations().ready().await;
    for fault in [Fault::Before, Fault::After] {
        harness.store.fail("*", fault);
        let revocation =
            Revocation::Token { issuer: ISSUER.into(), jti: "x".into(), until: harness.now() };
        assert!(harness.sessions.revoke(revocation).await.is_err());
        assert!(harness.sessions.end_all("bob").await.is_err());
        harness.store.heal();
    }
    harness.store.fail("*", Fault::Before);
    for response in [
        harness.logout(tokens.refresh().as_str()).await,
        harness.logout_everywhere(tokens.refresh().as_str()).await,
    ] {
        response.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
        assert_eq!(response.header("retry-after"), Some("1"));
        assert_eq!(response.set_cookie(), None, "the client must be able to try again");
    }
    harness.store.heal();
    assert_eq!(harness.call(tokens.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(harness.logout(tokens.refresh().as_str()).await.status, StatusCode::NO_CONTENT);
}

// A stale list queries the store. An unavailable store is 503, not 401.
#[tokio::test]
async fn a_stale_list_queries_the_store_and_fails_closed() {
    let harness = Harness::new();
    let sibling = harness.another_node();
    let tokens = harness.sign_in().await;
    harness.sessions.revocations().ready().await;
    harness.store.fail("read", Fault::Before);
    harness.store.fail("changed", Fault::Before);
    harness.advance(31);
    assert_eq!(
        harness.call(tokens.access().as_str()).await.status,
        StatusCode::OK,
        "the store was queried"
    );
    sibling.logout(tokens.refresh().as_str()).await;
    assert_dead(&harness.call(tokens.access().as_str()).await);

    let other = harness.sign_in().await;
    harness.store.fail("is_revoked", Fault::Before);
    let response = harness.call(other.access().as_str()).await;
    response.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    assert_eq!(response.header("retry-after"), Some("1"));
    assert_eq!(response.challenge(), None);

    use tower::Layer;
    let brave = harness.auth.clone().dangerous_accept_stale_revocations();
    let service = brave.layer(tower::service_fn(tower_jwt_auth_tests::harness::echo));
    let bearer = format!("Bearer {}", other.access().as_str());
    let request = tower_jwt_auth_tests::harness::request("GET", &[("authorization", &bearer)]);
    assert_eq!(
        send_to(service, request).await.status,
        StatusCode::OK,
        "stale revocations are accepted only where configured"
    );

    harness.store.heal();
    assert_eq!(harness.call(other.access().as_str()).await.status, StatusCode::OK);
}

// The configured access lifetime was shortened after the token was issued.
#[tokio::test]
async fn a_long_lived_token_from_before_lifetimes_were_shortened_stays_revoked() {
    use tower_jwt_auth::{Issuer, JwtAuthLayer, RefreshSecrets, Sessions};
    use tower_jwt_auth_tests::harness::REFRESH_SECRET;
    let harness = Harness::new();
    let issuer = |seconds| {
        Issuer::new(ISSUER, tower_jwt_auth_tests::AUDIENCE, harness.key.clone())
            .unwrap()
            .with_clock(harness.clock.clone())
            .with_access_lifetime(std::time::Duration::from_secs(seconds))
            .unwrap()
    };
    let secrets = || RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    let long = Sessions::builder(issuer(24 * 3600), secrets(), harness.store.clone())
        .claims::<tower_jwt_auth_tests::Profile>()
        .build()
        .unwrap();
    let tokens = long.start(Harness::alice()).await.unwrap();
    let short = Sessions::builder(issuer(60), secrets(), harness.store.clone())
        .claims::<Profile>()
        .build()
        .unwrap();
    let refreshed = short.refresh(tokens.refresh().as_str()).await.unwrap();
    assert!(short.end_presented(refreshed.refresh().as_str()).await.unwrap());
    let mut node = harness.clone();
    node.auth = JwtAuthLayer::for_sessions(&short);
    for _ in 0..24 {
        assert_dead(&node.call(tokens.access().as_str()).await);
        harness.advance(3600);
    }
}

// The revocation of a subject also applies to tokens of a session.
#[tokio::test]
async fn revoking_a_subject_revokes_tokens_with_a_session_id() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let revocation = Revocation::Subject {
        issuer: ISSUER.into(),
        sub: "alice".into(),
        issued_before: harness.now() + Duration::from_secs(1),
        until: tokens.access().expires_at(),
    };
    harness.sessions.revoke(revocation).await.unwrap();
    let response = harness.call(tokens.access().as_str()).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    harness.advance(1);
    let later = harness.sign_in().await;
    assert_eq!(harness.call(later.access().as_str()).await.status, StatusCode::OK);
}

// A long-lived connection can check again at any time.
#[tokio::test]
async fn the_revocation_of_an_identity_can_be_checked_after_its_request() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let verifier = Verifier::new(harness.sessions.issuer()).with_claims::<Profile>();
    let identity = verifier.verify(tokens.access().as_str(), harness.now()).unwrap();
    let list = harness.sessions.revocations();
    assert_eq!(list.status(&identity).await.unwrap(), TokenStatus::Valid);
    harness.logout(tokens.refresh().as_str()).await;
    assert_eq!(list.status(&identity).await.unwrap(), TokenStatus::Revoked);
    let other = harness.sign_in().await;
    let other = verifier.verify(other.access().as_str(), harness.now()).unwrap();
    harness.advance(304);
    assert_eq!(list.status(&other).await.unwrap(), TokenStatus::Valid, "within the leeway");
    harness.store.fail("*", Fault::Before);
    assert!(list.status(&other).await.is_err(), "an unknown status is an error");
    harness.advance(1);
    assert_eq!(list.status(&other).await.unwrap(), TokenStatus::Expired);
}
