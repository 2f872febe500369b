//! The time, the revocation and the requirements are judged at each request.

use std::time::Duration;

use http::StatusCode;
use tower::{Layer, service_fn};
use tower_jwt_auth::store::Revocation;
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{
    AuthError, Identity, MemoryStore, RequireFreshLoginLayer, RequireScopeLayer, RevocationList,
    SignIn, Timestamp, Verifier,
};
use tower_jwt_auth_tests::harness::{Profile, START, echo, request, send_to};
use tower_jwt_auth_tests::{Fault, FaultyStore, Harness, ISSUER};

use super::{accepts, keeps, layer, rejection, signer, token, trusted, verifications};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(START.unix_millis() + millis)
}

#[tokio::test]
async fn a_cached_token_expires_to_the_millisecond_and_leaves_the_cache() {
    let (auth, clock) = layer(Verifier::new(trusted(ISSUER)), RevocationList::none());
    let token = token().sign(&signer());
    keeps(&auth, &token).await;
    // The lifetime of 300 seconds and the leeway of 30.
    clock.set(at(329_999));
    accepts(&auth, &token).await;
    assert_eq!(verifications(), 0);
    clock.set(at(330_000));
    assert_eq!(rejection(&auth, &token).await, AuthError::Token(TokenError::Expired));
    // It has been removed, and comes back only through another verification.
    clock.set(at(0));
    accepts(&auth, &token).await;
    assert_eq!(verifications(), 1);
}

#[tokio::test]
async fn a_cached_token_is_rejected_where_the_clock_is_before_its_times() {
    let start = START.unix_seconds();
    for claim in ["nbf", "iat", "auth_time"] {
        let (auth, clock) = layer(Verifier::new(trusted(ISSUER)), RevocationList::none());
        let token = token().claim("iat", start - 60).claim("auth_time", start - 60);
        let token = token.claim(claim, start).sign(&signer());
        keeps(&auth, &token).await;
        clock.set(at(-30_000));
        accepts(&auth, &token).await;
        assert_eq!(verifications(), 0);
        clock.set(at(-30_001));
        assert_eq!(rejection(&auth, &token).await, AuthError::Token(TokenError::Early(claim)));
    }
}

#[tokio::test]
async fn a_cached_token_without_iat_is_rejected_where_its_lifetime_is_too_long() {
    let trusted = trusted(ISSUER).allow_missing_profile_claims();
    let trusted = trusted.with_max_token_lifetime(Duration::from_secs(400)).unwrap();
    let (auth, clock) = layer(Verifier::new(trusted), RevocationList::none());
    let token = token().without_claim("iat").without_claim("auth_time").sign(&signer());
    keeps(&auth, &token).await;
    // 300 seconds of 400 are left, and the leeway is 30.
    clock.set(at(-130_000));
    accepts(&auth, &token).await;
    assert_eq!(verifications(), 0);
    clock.set(at(-130_001));
    assert_eq!(rejection(&auth, &token).await, AuthError::Token(TokenError::Lifetime));
}

#[tokio::test]
async fn a_cached_token_is_rejected_once_it_is_revoked_by_any_of_its_keys() {
    type Revoke = fn(&Identity) -> Revocation;
    let revocations: [Revoke; 3] = [
        |identity| Revocation::Token {
            issuer: identity.issuer().into(),
            jti: identity.token_id().unwrap().into(),
            until: identity.expires_at(),
        },
        |identity| Revocation::Session {
            issuer: identity.issuer().into(),
            sid: identity.session_id().unwrap().into(),
            until: identity.expires_at(),
        },
        |identity| Revocation::Subject {
            issuer: identity.issuer().into(),
            sub: identity.subject().into(),
            issued_before: identity.issued_at().unwrap() + Duration::from_secs(1),
            until: identity.expires_at(),
        },
    ];
    for revocation in revocations {
        let harness = Harness::new();
        harness.sessions.revocations().ready().await;
        let tokens = harness.sign_in().await;
        let token = tokens.access().as_str();
        for _ in 0..2 {
            assert_eq!(harness.call(token).await.status, StatusCode::OK);
        }
        let verifier = Verifier::new(harness.sessions.issuer());
        let identity = verifier.verify(token, START).unwrap();
        let revocation = revocation(&identity);
        harness.sessions.revoke(revocation.clone()).await.unwrap();
        for _ in 0..2 {
            let response = harness.call(token).await;
            assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{revocation:?}");
        }
    }
}

#[tokio::test]
async fn a_cached_token_is_checked_with_the_store_while_the_list_is_stale() {
    let harness = Harness::new();
    harness.sessions.revocations().ready().await;
    let tokens = harness.sign_in().await;
    let token = tokens.access().as_str();
    for _ in 0..2 {
        assert_eq!(harness.call(token).await.status, StatusCode::OK);
    }
    harness.store.fail("append", Fault::Before);
    harness.store.fail("read", Fault::Before);
    // The list becomes stale before the token expires.
    harness.advance(60);
    assert_eq!(harness.call(token).await.status, StatusCode::OK, "the store has the answer");
    harness.store.fail("is_revoked", Fault::Before);
    assert_eq!(harness.call(token).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_requirements_of_a_route_are_judged_for_a_cached_token() {
    let harness = Harness::new();
    harness.sessions.revocations().ready().await;
    let alice = SignIn::new("alice").with_claims(Profile { name: "Alice".into() });
    let tokens = harness.sign_in_as(alice.with_scope("read")).await;
    let token = tokens.access().as_str();
    for _ in 0..2 {
        assert_eq!(harness.call(token).await.status, StatusCode::OK);
    }
    let header = format!("Bearer {token}");
    let get = || request("GET", &[("authorization", &header)]);
    let scoped =
        |scope| harness.auth.layer(RequireScopeLayer::new(scope).unwrap().layer(service_fn(echo)));
    assert_eq!(send_to(scoped("read"), get()).await.status, StatusCode::OK);
    assert_eq!(send_to(scoped("write"), get()).await.status, StatusCode::FORBIDDEN);
    let fresh = RequireFreshLoginLayer::new(Duration::from_secs(100)).unwrap();
    let fresh = || harness.auth.layer(fresh.layer(service_fn(echo)));
    assert_eq!(send_to(fresh(), get()).await.status, StatusCode::OK);
    // The identity of a cached token has the time of the request.
    harness.advance(100);
    assert_eq!(send_to(fresh(), get()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(harness.call(token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_rejection_behind_a_cached_token_has_the_realm_of_its_own_layer() {
    let harness = Harness::new();
    harness.sessions.revocations().ready().await;
    let tokens = harness.sign_in().await;
    let header = format!("Bearer {}", tokens.access().as_str());
    let other = harness.auth.clone().with_realm("other").unwrap();
    for (auth, realm) in
        [(&harness.auth, "api"), (&other, "other"), (&harness.auth, "api"), (&other, "other")]
    {
        let scoped = RequireScopeLayer::new("admin").unwrap().layer(service_fn(echo));
        let response =
            send_to(auth.layer(scoped), request("GET", &[("authorization", &header)])).await;
        let challenge = response.challenge().unwrap();
        assert!(challenge.starts_with(&format!(r#"Bearer realm="{realm}""#)), "{challenge}");
    }
}

#[tokio::test]
async fn the_store_is_queried_for_each_request_with_a_cached_token() {
    let store = FaultyStore::new(MemoryStore::new());
    let list = RevocationList::follow(store.clone()).unwrap();
    // The list has not caught up with its log, since no task has run yet.
    let (auth, _) = layer(Verifier::new(trusted(ISSUER)), list);
    let auth = auth.with_max_staleness(Duration::ZERO);
    let token = token().sign(&signer());
    keeps(&auth, &token).await;
    for _ in 0..3 {
        accepts(&auth, &token).await;
    }
    assert_eq!(verifications(), 0);
    store.fail("is_revoked", Fault::Before);
    assert_eq!(rejection(&auth, &token).await, AuthError::Unavailable);
}
