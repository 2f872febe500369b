//! A partner's issuer beside the service's own.

use http::StatusCode;
use serde_json::json;
use tower::{Layer, service_fn};
use tower_jwt_auth::sessions::SessionError;
use tower_jwt_auth::{
    Algorithm, AuthError, Identity, JwtAuthLayer, KeySet, RequireScopeLayer, TrustedIssuer,
    Verifier,
};
use tower_jwt_auth_tests::harness::{call_behind, echo, reason, request, send_to};
use tower_jwt_auth_tests::token_builder::TokenBuilder;
use tower_jwt_auth_tests::{AUDIENCE, Harness, START, TestResponse};

use super::super::access_token::fixture::KEY_ID;
use super::super::access_token::test_keys::{signer, verifying_key};

const PARTNER: &str = "https://partner.example";

fn partner() -> TrustedIssuer {
    let keys = KeySet::new([verifying_key(Algorithm::HS256).with_key_id(KEY_ID)]).unwrap();
    TrustedIssuer::new(PARTNER, AUDIENCE, keys).unwrap()
}

/// Returns a token of the partner whose subject and scope look like those of the service.
fn token(scope: &str) -> String {
    let builder = TokenBuilder::access("HS256", KEY_ID).claim("iss", PARTNER);
    builder.claim("scope", scope).sign(&signer(Algorithm::HS256))
}

fn verifier(harness: &Harness, partner: TrustedIssuer) -> Verifier {
    Verifier::new(harness.sessions.issuer()).and_trust(partner).unwrap()
}

fn identity(harness: &Harness, partner: TrustedIssuer, scope: &str) -> Identity {
    verifier(harness, partner).verify(&token(scope), START).unwrap()
}

async fn call_for_scope(harness: &Harness, partner: TrustedIssuer, scope: &str) -> TestResponse {
    let revocations = harness.sessions.revocations().clone();
    let auth = JwtAuthLayer::new(verifier(harness, partner), revocations)
        .with_clock(harness.clock.clone());
    let inner = RequireScopeLayer::new("admin").unwrap().layer(service_fn(echo));
    let authorization = format!("Bearer {}", token(scope));
    send_to(auth.layer(inner), request("GET", &[("authorization", &authorization)])).await
}

#[tokio::test]
async fn a_partner_grants_no_scope_unless_it_is_listed() {
    let harness = Harness::new();
    let none = identity(&harness, partner(), "admin read");
    assert_eq!((none.issuer(), none.subject(), none.scope()), (PARTNER, "alice", ""));
    assert!(!none.has_scope("admin"));
    let response = call_for_scope(&harness, partner(), "admin").await;
    response.assert_refused(StatusCode::FORBIDDEN, "insufficient_scope");
    assert_eq!(reason(&response), AuthError::Scope { scope: "admin".into() });

    let listing = |scopes: &[&str]| partner().with_scopes(scopes.iter().copied()).unwrap();
    let read = identity(&harness, listing(&["read", "write"]), "admin read reader");
    assert_eq!(read.scope(), "read");
    let response = call_for_scope(&harness, listing(&["read", "Admin"]), "admin read").await;
    assert_eq!(response.status, StatusCode::FORBIDDEN);
    let response = call_for_scope(&harness, listing(&["admin"]), "read admin").await;
    assert_eq!(response.status, StatusCode::OK);
    assert!(listing(&[]).with_scopes(["a b"]).is_err());
}

#[tokio::test]
async fn an_issuer_that_is_inserted_or_resolved_grants_no_scope_unless_it_is_listed() {
    let harness = Harness::new();
    for (partner, scope) in [(partner(), ""), (partner().with_scopes(["read"]).unwrap(), "read")] {
        let inserted = Verifier::new(harness.sessions.issuer());
        inserted.issuers().insert(partner.clone()).unwrap();
        let resolved = Verifier::new(harness.sessions.issuer());
        let resolved = resolved.and_trust_where(8, move |_| Some(partner.clone())).unwrap();
        for verifier in [inserted, resolved] {
            assert_eq!(verifier.verify(&token("admin read"), START).unwrap().scope(), scope);
        }
    }
}

#[tokio::test]
async fn the_first_issuer_grants_all_scopes_unless_they_are_listed() {
    let scope = |trusted: TrustedIssuer| {
        let identity = Verifier::new(trusted).verify(&token("admin  read"), START).unwrap();
        identity.scope().to_owned()
    };
    assert_eq!(scope(partner()), "admin  read");
    assert_eq!(scope(partner().with_scopes(["read", "x"]).unwrap()), "read");
    let none: [&str; 0] = [];
    assert_eq!(scope(partner().with_scopes(none).unwrap()), "");
}

#[tokio::test]
async fn listed_scopes_apply_to_lists_in_other_claims() {
    let partner = partner().with_scope_claim("scp").unwrap().with_scopes(["read"]).unwrap();
    let builder = TokenBuilder::access("HS256", KEY_ID).claim("iss", PARTNER);
    let token = builder.claim("scp", json!(["admin", "read"])).sign(&signer(Algorithm::HS256));
    let identity = Verifier::new(partner).verify(&token, START).unwrap();
    assert_eq!(identity.scope(), "read");
}

#[tokio::test]
async fn a_subject_of_a_partner_cannot_list_or_end_the_sessions_of_ours() {
    let harness = Harness::new();
    let ours = harness.sign_in().await;
    let id = ours.refresh().session_id();
    let theirs = identity(&harness, partner().with_scopes(["admin"]).unwrap(), "admin");
    assert_eq!(theirs.subject(), "alice");
    let sessions = &harness.sessions;
    for error in [
        sessions.list_for(&theirs, None).await.unwrap_err(),
        sessions.end_for(&theirs, id).await.unwrap_err(),
        sessions.end_all_for(&theirs).await.unwrap_err(),
        sessions.end_others_for(&theirs).await.unwrap_err(),
    ] {
        assert!(matches!(error, SessionError::OtherIssuer), "{error}");
        assert_eq!(AuthError::from(&error).status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(harness.call(ours.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(sessions.list("alice", None).await.unwrap().sessions.len(), 1);
}

#[tokio::test]
async fn a_caller_lists_and_ends_its_own_sessions() {
    let harness = Harness::new();
    let [first, second, third] =
        [harness.sign_in().await, harness.sign_in().await, harness.sign_in().await];
    let verifier = Verifier::new(harness.sessions.issuer());
    let caller = verifier.verify(first.access().as_str(), START).unwrap();
    let sessions = &harness.sessions;
    assert_eq!(sessions.list_for(&caller, None).await.unwrap().sessions.len(), 3);
    assert!(sessions.end_for(&caller, third.refresh().session_id()).await.unwrap());
    assert_eq!(sessions.end_others_for(&caller).await.unwrap(), 1);
    assert_eq!(call_behind(&harness.auth, first.access().as_str()).await.status, StatusCode::OK);
    let ended = call_behind(&harness.auth, second.access().as_str()).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sessions.end_all_for(&caller).await.unwrap(), 1);
    assert!(sessions.list_for(&caller, None).await.unwrap().sessions.is_empty());
}

/// An issuer may be trusted without `sid`, also under the name of this one.
#[tokio::test]
async fn the_others_of_no_session_are_not_ended() {
    let harness = Harness::new();
    let ours = harness.sign_in().await;
    let keys = KeySet::new([verifying_key(Algorithm::HS256).with_key_id(KEY_ID)]).unwrap();
    let trusted = TrustedIssuer::new(tower_jwt_auth_tests::ISSUER, AUDIENCE, keys).unwrap();
    let token = TokenBuilder::access("HS256", KEY_ID).without_claim("sid");
    let token = token.sign(&signer(Algorithm::HS256));
    let caller = Verifier::new(trusted).verify(&token, START).unwrap();
    assert!(harness.sessions.end_others_for(&caller).await.is_err());
    assert_eq!(harness.call(ours.access().as_str()).await.status, StatusCode::OK);
}
