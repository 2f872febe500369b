//! Challenges that name the metadata of the resource (RFC 9728 §5.1).

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use tower::{Layer, service_fn};
use tower_jwt_auth::{
    Claims, ConfigError, Identity, JwtAuthLayer, RequireAnyScopeLayer, RequireFreshLoginLayer,
    RequireLayer, RequireScopeLayer,
};
use tower_jwt_auth_tests::harness::{Profile, echo, request, send_to};
use tower_jwt_auth_tests::{Harness, TestResponse};

use super::preflight::PREFLIGHT;
use super::{access_token, bearer};

const URL: &str = "https://api.example/.well-known/oauth-protected-resource/v1";
const BARE: &str = r#"Bearer realm="api", resource_metadata="https://api.example/.well-known/oauth-protected-resource/v1""#;

fn with_metadata(harness: &Harness) -> JwtAuthLayer<Profile> {
    harness.auth.clone().with_resource_metadata(URL).unwrap()
}

#[track_caller]
fn assert_named(response: &TestResponse, status: StatusCode, code: &str) {
    response.assert_refused(status, code);
    let challenge = response.challenge().unwrap();
    assert!(challenge.starts_with(&format!(r#"{BARE}, error="{code}""#)), "{challenge}");
}

#[track_caller]
fn assert_named_without_code(response: &TestResponse) {
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    assert_eq!(response.challenge(), Some(BARE));
}

#[tokio::test]
async fn the_challenges_of_the_layer_name_the_metadata() {
    let mut harness = Harness::new();
    let without = harness.send(request("GET", &[])).await;
    assert!(!without.challenge().unwrap().contains("resource_metadata"));
    harness.auth = with_metadata(&harness);
    assert_named_without_code(&harness.send(request("GET", &[])).await);
    assert_named(&harness.call("x.y.z").await, StatusCode::UNAUTHORIZED, "invalid_token");
    let malformed = harness.send(request("GET", &[("authorization", "Bearer")])).await;
    assert_named(&malformed, StatusCode::BAD_REQUEST, "invalid_request");
}

// The identity comes after a wait for the store. Rejections after a wait are in `remote_keys::unknown_key`.
#[tokio::test]
async fn the_challenges_after_a_wait_name_the_metadata() {
    let harness = Harness::new();
    harness.sessions.revocations().ready().await;
    let token = bearer(&access_token(&harness).await);
    let headers = [("authorization", &*token)];
    let auth = with_metadata(&harness).with_max_staleness(Duration::ZERO);
    harness.advance(1);
    let scope = RequireScopeLayer::new("admin").unwrap();
    let service = auth.layer(scope.layer(service_fn(echo)));
    let response = send_to(service, request("GET", &headers)).await;
    assert_named(&response, StatusCode::FORBIDDEN, "insufficient_scope");
}

#[tokio::test]
async fn the_challenges_of_requirements_name_the_metadata() {
    let harness = Harness::new();
    let auth = with_metadata(&harness);
    let token = bearer(&access_token(&harness).await);
    let headers = [("authorization", &*token)];
    let scope = RequireScopeLayer::new("admin").unwrap();
    let any_scope = RequireAnyScopeLayer::new(["admin", "root"]).unwrap();
    let fresh = RequireFreshLoginLayer::new(Duration::from_secs(60)).unwrap();
    let (forbidden, unauthorized) = (StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED);
    harness.advance(100);
    let inside = auth.layer(scope.layer(service_fn(echo)));
    let response = send_to(inside, request("GET", &headers)).await;
    assert_named(&response, forbidden, "insufficient_scope");
    let inside = auth.layer(any_scope.layer(service_fn(echo)));
    let response = send_to(inside, request("GET", &headers)).await;
    assert_named(&response, forbidden, "insufficient_scope");
    let inside = auth.layer(fresh.layer(service_fn(echo)));
    let response = send_to(inside, request("GET", &headers)).await;
    assert_named(&response, unauthorized, "insufficient_user_authentication");
    // A decision of the application is not one on the token, and has no challenge.
    let inside = auth.layer(RequireLayer::new(|_: &Identity| false).layer(service_fn(echo)));
    let response = send_to(inside, request("GET", &headers)).await;
    assert_eq!((response.status, response.challenge()), (forbidden, None));
}

#[tokio::test]
async fn the_challenges_for_anonymous_requests_and_preflights_name_the_metadata() {
    let harness = Harness::new();
    let auth = with_metadata(&harness).optional().allow_preflights();
    let scope = RequireScopeLayer::new("admin").unwrap();
    let service = auth.layer(scope.layer(service_fn(echo)));
    assert_named_without_code(&send_to(service.clone(), request("GET", &[])).await);
    assert_named_without_code(&send_to(service, request("OPTIONS", &PREFLIGHT)).await);
    let app: Router = Router::new()
        .route("/", get(async |_: Identity| "in").options(async |_: Claims<Profile>| "in"))
        .layer(auth);
    assert_named_without_code(&send_to(app.clone(), request("GET", &[])).await);
    assert_named_without_code(&send_to(app, request("OPTIONS", &PREFLIGHT)).await);
}

#[test]
fn a_url_that_clients_cannot_use_is_an_error() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let harness = Harness::new();
    for bad in [
        "",
        "/.well-known/oauth-protected-resource",
        "http://api.example/x",
        "https://api.example/x#f",
        "https://user:password@api.example/x",
        "https://api.example/\", error=\"",
        "https://api.example/\\",
        "https://api.example/a b",
        "https://api.example/ä",
        "https://api.example/\r\nx: y",
    ] {
        let error = harness.auth.clone().with_resource_metadata(bad).unwrap_err();
        assert!(matches!(error, ConfigError::Url { .. }), "{bad}: {error}");
    }
    assert!(harness.auth.clone().with_resource_metadata("http://127.0.0.1:3000/x").is_ok());
}
