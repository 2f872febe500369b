//! Extractors and requirements in axum handlers.

use std::time::Duration;

use axum::Router;
use axum::routing::{any, get};
use http::StatusCode;
use tower::{Layer, service_fn};
use tower_jwt_auth::{AuthError, Claims, Identity, RequireFreshLoginLayer, RequireScopeLayer};
use tower_jwt_auth_tests::harness::{Profile, echo, reason, request, send_to};
use tower_jwt_auth_tests::{Harness, TestResponse};

use super::preflight::PREFLIGHT;
use super::{ALICE, access_token, assert_accepted, assert_without_credentials, bearer};

fn app(handler: axum::routing::MethodRouter) -> Router {
    Router::new().route("/", handler)
}

async fn who(identity: Identity, profile: Claims<Profile>) -> String {
    assert_eq!(profile.identity().subject(), identity.subject());
    format!("{} is {}", identity.subject(), profile.name)
}

async fn claims(profile: Claims<Profile>) -> String {
    profile.name.clone()
}

async fn claims_if_any(profile: Option<Claims<Profile>>) -> String {
    profile.map_or("nobody".to_owned(), |profile| profile.name.clone())
}

async fn who_if_any(identity: Option<Identity>) -> String {
    identity.map_or("nobody".to_owned(), |identity| identity.subject().to_owned())
}

#[tokio::test]
async fn an_optional_extractor_accepts_anonymous_and_authenticated_requests() {
    let harness = Harness::new();
    let app = app(get(who_if_any)).layer(harness.auth.clone().optional());
    assert_accepted(&send_to(app.clone(), request("GET", &[])).await, "nobody");
    let token = bearer(&access_token(&harness).await);
    let response = send_to(app.clone(), request("GET", &[("authorization", &token)])).await;
    assert_accepted(&response, "alice");
    let response = send_to(app, request("GET", &[("authorization", "Bearer x.y.z")])).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn an_extractor_rejects_a_preflight_that_the_layer_lets_pass() {
    let harness = Harness::new();
    let auth = harness.auth.clone().with_realm("shop").unwrap().allow_preflights();
    for handler in [any(who), any(who_if_any), any(claims), any(claims_if_any)] {
        let response =
            send_to(app(handler).layer(auth.clone()), request("OPTIONS", &PREFLIGHT)).await;
        assert_eq!(response.status, StatusCode::UNAUTHORIZED);
        assert_eq!(response.challenge(), Some(r#"Bearer realm="shop""#));
        assert_eq!(reason(&response), AuthError::Missing);
    }
}

#[tokio::test]
async fn a_required_extractor_refuses_an_anonymous_request_with_a_bare_challenge() {
    let harness = Harness::new();
    let optional = harness.auth.clone().with_realm("shop").unwrap().optional();
    let app = app(get(who)).layer(optional);
    let response = send_to(app.clone(), request("GET", &[])).await;
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    assert_eq!(response.challenge(), Some(r#"Bearer realm="shop""#));
    assert!(response.body.is_empty());
    assert_eq!(reason(&response), AuthError::Missing);
    let token = bearer(&access_token(&harness).await);
    let response = send_to(app, request("GET", &[("authorization", &token)])).await;
    assert_accepted(&response, ALICE);
}

#[track_caller]
fn assert_no_layer(response: &TestResponse) {
    response.assert_refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    assert!(response.challenge().is_none());
    assert!(matches!(reason(response), AuthError::MissingLayer { .. }));
}

#[track_caller]
fn assert_other_claims(response: &TestResponse) {
    response.assert_refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    assert!(response.challenge().is_none());
    assert_eq!(reason(response), AuthError::OtherClaims { expected: "u8" });
}

// An unprotected route must not look protected.
#[tokio::test]
async fn a_handler_without_the_layer_or_with_other_claims_answers_500_and_never_200() {
    let harness = Harness::new();
    let token = bearer(&access_token(&harness).await);
    let headers = [("authorization", &*token)];
    let handlers = [get(who), get(who_if_any), get(claims), get(claims_if_any)];
    for unprotected in handlers.map(app) {
        assert_no_layer(&send_to(unprotected.clone(), request("GET", &[])).await);
        assert_no_layer(&send_to(unprotected, request("GET", &headers)).await);
    }
    // The extractor has another claims type than the layer. An optional one also fails.
    let others = async |_: Claims<u8>| "let in";
    let others_if_any = async |_: Option<Claims<u8>>| "let in";
    for wrong in [get(others), get(others_if_any)] {
        let wrong = app(wrong).layer(harness.auth.clone());
        assert_other_claims(&send_to(wrong, request("GET", &headers)).await);
    }
}

#[tokio::test]
async fn a_requirement_without_the_layer_answers_500_and_never_200() {
    let harness = Harness::new();
    let token = bearer(&access_token(&harness).await);
    let headers = [("authorization", &*token)];
    let scope = RequireScopeLayer::new("read").unwrap();
    let fresh = RequireFreshLoginLayer::new(Duration::from_secs(300)).unwrap();
    // The correct order works.
    let inside = harness.auth.layer(scope.layer(fresh.layer(service_fn(echo))));
    assert_accepted(&send_to(inside, request("GET", &headers)).await, ALICE);
    for headers in [&headers[..], &[]] {
        let outside = scope.layer(harness.auth.layer(service_fn(echo)));
        assert_no_layer(&send_to(outside, request("GET", headers)).await);
        let outside = fresh.layer(harness.auth.layer(service_fn(echo)));
        assert_no_layer(&send_to(outside, request("GET", headers)).await);
        assert_no_layer(&send_to(scope.layer(service_fn(echo)), request("GET", headers)).await);
        assert_no_layer(&send_to(fresh.layer(service_fn(echo)), request("GET", headers)).await);
    }
}

#[tokio::test]
async fn a_requirement_refuses_an_anonymous_request_with_a_bare_challenge() {
    let harness = Harness::new();
    let optional = harness.auth.clone().optional();
    let scope = RequireScopeLayer::new("read").unwrap();
    let service = optional.layer(scope.layer(service_fn(echo)));
    assert_without_credentials(&send_to(service.clone(), request("GET", &[])).await);
    let token = bearer(&access_token(&harness).await);
    let headers = [("authorization", &*token)];
    assert_accepted(&send_to(service, request("GET", &headers)).await, ALICE);
    let fresh = RequireFreshLoginLayer::new(Duration::from_secs(300)).unwrap();
    let service = optional.layer(fresh.layer(service_fn(echo)));
    assert_without_credentials(&send_to(service, request("GET", &[])).await);
}
