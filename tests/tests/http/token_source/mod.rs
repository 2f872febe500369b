//! The sources of the access token in a request, and requests without a token.

mod combinations;
mod cookie;
mod cookie_origin;
mod extractors;
mod grpc;
mod header;
mod optional;
mod preflight;
mod query;
mod resource_metadata;
mod size;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tower::{Layer, service_fn};
use tower_jwt_auth::tokens::RequestError;
use tower_jwt_auth::{AuthError, TokenSource};
use tower_jwt_auth_tests::harness::{echo, reason, request, send_to};
use tower_jwt_auth_tests::{Harness, TestResponse};

pub(crate) const COOKIE: &str = "__Host-access_token";
const ALICE: &str = "alice is Alice";

pub(crate) fn with_cookies() -> Harness {
    Harness::new().with_source(TokenSource::authorization_header().or_cookie(COOKIE).unwrap())
}

fn with_query() -> Harness {
    Harness::new().with_source(TokenSource::authorization_header().dangerous_or_query())
}

/// Signs alice in and returns her access token. The revocation list is current, so that requests with the token do not
/// query the store.
pub(crate) async fn access_token(harness: &Harness) -> String {
    harness.sessions.revocations().ready().await;
    harness.sign_in().await.access().as_str().to_owned()
}

fn at(uri: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = request("GET", headers);
    *request.uri_mut() = uri.parse().unwrap();
    request
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Sends a request to the same service with optional credentials.
async fn send_optional(harness: &Harness, request: Request<Full<Bytes>>) -> TestResponse {
    send_to(harness.auth.clone().optional().layer(service_fn(echo)), request).await
}

#[track_caller]
fn assert_accepted(response: &TestResponse, body: &str) {
    assert_eq!(
        response.status,
        StatusCode::OK,
        "{response:?}: {:?}",
        response.extensions.get::<AuthError>()
    );
    assert_eq!(response.body, body);
}

#[track_caller]
fn assert_without_credentials(response: &TestResponse) {
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    assert_eq!(response.challenge(), Some(r#"Bearer realm="api""#));
    assert!(response.body.is_empty() && response.header("content-type").is_none());
    assert_eq!(reason(response), AuthError::Missing);
}

#[track_caller]
fn assert_bad_request(response: &TestResponse, error: RequestError) {
    response.assert_refused(StatusCode::BAD_REQUEST, "invalid_request");
    assert!(response.challenge().unwrap().contains(r#"error="invalid_request""#));
    assert_eq!(reason(response), AuthError::Request(error));
}

#[track_caller]
fn assert_cross_site(response: &TestResponse) {
    response.assert_refused(StatusCode::FORBIDDEN, "cross_site_request");
    assert!(response.challenge().is_none(), "a challenge would suggest another token");
    assert_eq!(reason(response), AuthError::CrossSite);
}
