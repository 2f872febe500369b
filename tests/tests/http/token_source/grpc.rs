//! Refusals of gRPC requests.

use http::StatusCode;
use tower::{Layer, service_fn};
use tower_jwt_auth::RequireScopeLayer;
use tower_jwt_auth_tests::harness::{echo, reason, request, send_to};

use super::{COOKIE, access_token, with_cookies};

// gRPC clients read the status and the headers only.
#[tokio::test]
async fn grpc_refusals_have_no_body() {
    let harness = with_cookies();
    let cookie = format!("{COOKIE}={}", access_token(&harness).await);
    for content_type in ["application/grpc", "application/grpc+proto", "Application/GRPC"] {
        for (name, value, status) in [
            ("x", "y", StatusCode::UNAUTHORIZED),
            ("authorization", "Bearer x.y.z", StatusCode::UNAUTHORIZED),
            ("authorization", "Bearer", StatusCode::BAD_REQUEST),
            ("cookie", &*cookie, StatusCode::FORBIDDEN),
        ] {
            let headers =
                [("content-type", content_type), (name, value), ("sec-fetch-site", "cross-site")];
            let response = harness.send(request("POST", &headers)).await;
            assert_eq!(response.status, status);
            assert!(response.body.is_empty() && response.header("content-type").is_none());
            assert_eq!(response.challenge().is_some(), status != StatusCode::FORBIDDEN);
            reason(&response);
        }
    }
    let scope = RequireScopeLayer::new("admin").unwrap();
    let service = harness.auth.layer(scope.layer(service_fn(echo)));
    let headers = [("content-type", "application/grpc"), ("cookie", &*cookie)];
    let response = send_to(service, request("POST", &headers)).await;
    assert!(response.status == StatusCode::FORBIDDEN && response.body.is_empty());
}
