//! Required scopes.

use http::StatusCode;
use serde_json::json;
use tower::{Layer, service_fn};
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{AuthError, ConfigError, RequireScopeLayer};
use tower_jwt_auth_tests::harness::{echo, reason, request, send_to};
use tower_jwt_auth_tests::token_builder::TokenBuilder;
use tower_jwt_auth_tests::{TestResponse, TokenSigner};

use super::fixture::Fixture;
use super::test_keys::OTHER_SECRET;

#[tokio::test]
async fn an_invalid_scope_is_a_config_error() {
    for bad in ["", " ", "a  b", " a", "a ", "a\"b", "a\\b", "é", "a\nb"] {
        let error = RequireScopeLayer::new(bad).unwrap_err();
        assert_eq!(error, ConfigError::Scope { scope: bad.to_owned() });
        assert!(error.to_string().contains("is not a valid scope"), "{error}");
    }
}

/// Calls a service that requires this scope.
async fn call_for_scope(fixture: &Fixture, scope: &str, builder: &TokenBuilder) -> TestResponse {
    let inner = RequireScopeLayer::new(scope).unwrap().layer(service_fn(echo));
    let token = format!("Bearer {}", builder.sign(&fixture.signer));
    send_to(fixture.auth.layer(inner), request("GET", &[("authorization", &token)])).await
}

#[track_caller]
fn assert_insufficient(response: &TestResponse, scope: &str) {
    response.assert_refused(StatusCode::FORBIDDEN, "insufficient_scope");
    let challenge = response.challenge().expect("RFC 6750 §3.1");
    assert!(challenge.starts_with("Bearer "), "{challenge}");
    assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
    assert!(challenge.ends_with(&format!(r#"scope="{scope}""#)), "{challenge}");
    assert_eq!(reason(response), AuthError::Scope { scope: scope.into() });
}

#[tokio::test]
async fn a_missing_scope_is_403_and_named() {
    let fixture = Fixture::own().await;
    for granted in ["read", "write"] {
        let response = call_for_scope(&fixture, granted, &fixture.builder()).await;
        assert_eq!((response.status, &*response.body), (StatusCode::OK, &b"alice is Alice"[..]));
    }
    assert_insufficient(&call_for_scope(&fixture, "admin", &fixture.builder()).await, "admin");
    for none in [fixture.builder().without_claim("scope"), fixture.builder().claim("scope", "")] {
        assert_insufficient(&call_for_scope(&fixture, "read", &none).await, "read");
    }
    let mistyped = fixture.builder().claim("scope", json!(["read"]));
    fixture.refuses(&mistyped, TokenError::Mistyped("scope")).await;
}

#[tokio::test]
async fn all_of_the_required_scopes_are_needed() {
    let fixture = Fixture::own().await;
    let with = |scope: &str| fixture.builder().claim("scope", scope);
    for enough in ["read write", "write read", "x write y read z", "read  write"] {
        let response = call_for_scope(&fixture, "read write", &with(enough)).await;
        assert_eq!(response.status, StatusCode::OK, "{enough}");
    }
    for little in ["read", "write", "", "readwrite", "read,write", "read\twrite", "read\nwrite"] {
        let response = call_for_scope(&fixture, "read write", &with(little)).await;
        assert_insufficient(&response, "read write");
    }
}

#[tokio::test]
async fn scopes_are_matched_whole_and_case_sensitively() {
    let fixture = Fixture::own().await;
    for other in [
        "rea", "reader", "read:all", "all:read", "Read", "READ", "unread", "rea d", "r e a d",
        "read\0", "read,", "*", "\"read\"",
    ] {
        let builder = fixture.builder().claim("scope", other);
        assert_insufficient(&call_for_scope(&fixture, "read", &builder).await, "read");
    }
    let more = fixture.builder().claim("scope", "reader read");
    assert_eq!(call_for_scope(&fixture, "read", &more).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_bad_token_is_401_and_not_403_whatever_scope_it_claims() {
    let fixture = Fixture::own().await;
    let token = fixture.builder().claim("scope", "admin").sign(&TokenSigner::hs256(&OTHER_SECRET));
    let inner = RequireScopeLayer::new("admin").unwrap().layer(service_fn(echo));
    let service = fixture.auth.layer(inner);
    let header = format!("Bearer {token}");
    let response = send_to(service, request("GET", &[("authorization", &header)])).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}
