//! CORS preflights.

use tower::{Layer, service_fn};
use tower_jwt_auth::RequireScopeLayer;
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::harness::{echo, request, send_to};

use super::{access_token, assert_accepted, assert_without_credentials, bearer};

pub(crate) const PREFLIGHT: [(&str, &str); 2] =
    [("origin", "https://app.example"), ("access-control-request-method", "POST")];

#[tokio::test]
async fn preflights_pass_only_where_enabled() {
    let harness = Harness::new();
    assert_without_credentials(&harness.send(request("OPTIONS", &PREFLIGHT)).await);
    let mut harness = harness;
    harness.auth = harness.auth.allow_preflights();
    assert_accepted(&harness.send(request("OPTIONS", &PREFLIGHT)).await, "anonymous");
}

#[tokio::test]
async fn a_plain_options_never_passes() {
    let mut harness = Harness::new();
    harness.auth = harness.auth.allow_preflights();
    assert_without_credentials(&harness.send(request("OPTIONS", &[])).await);
    assert_without_credentials(&harness.send(request("OPTIONS", &PREFLIGHT[..1])).await);
    assert_without_credentials(&harness.send(request("OPTIONS", &PREFLIGHT[1..])).await);
    for method in ["GET", "HEAD", "POST", "PUT", "options"] {
        assert_without_credentials(&harness.send(request(method, &PREFLIGHT)).await);
    }
}

#[tokio::test]
async fn a_preflight_passes_without_an_identity_even_with_a_token() {
    let mut harness = Harness::new();
    harness.auth = harness.auth.allow_preflights();
    let token = bearer(&access_token(&harness).await);
    let headers = [PREFLIGHT[0], PREFLIGHT[1], ("authorization", &*token)];
    assert_accepted(&harness.send(request("OPTIONS", &headers)).await, "anonymous");
    let scope = RequireScopeLayer::new("read").unwrap();
    let service = harness.auth.layer(scope.layer(service_fn(echo)));
    let response = send_to(service, request("OPTIONS", &headers)).await;
    // Without an identity, a requirement is not met.
    assert_without_credentials(&response);
}
