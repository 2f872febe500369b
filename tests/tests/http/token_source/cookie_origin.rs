//! The origin of requests that carry the access token in a cookie.

use http::StatusCode;
use tower_jwt_auth::{OriginPolicy, TokenSource};
use tower_jwt_auth_tests::harness::request;
use tower_jwt_auth_tests::{Harness, TestResponse};

use super::{
    ALICE, COOKIE, access_token, assert_accepted, assert_cross_site, bearer, with_cookies,
};

/// Sends a request with the token in a cookie, this method and these headers.
async fn send_cookie(harness: &Harness, method: &str, headers: &[(&str, &str)]) -> TestResponse {
    let cookie = format!("{COOKIE}={}", access_token(harness).await);
    let headers = [&[("cookie", &*cookie), ("host", "api.example")], headers].concat();
    harness.send(request(method, &headers)).await
}

const UNSAFE: [&str; 7] = ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "PROPFIND", "get"];

const FOREIGN: [&[(&str, &str)]; 9] = [
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site")],
    &[("sec-fetch-site", "")],
    &[("origin", "null")],
    &[("origin", "https://evil.example")],
    &[("origin", "https://sub.api.example")],
    &[("origin", "https://api.example:8443")],
    &[("sec-fetch-site", "cross-site"), ("origin", "https://api.example")],
    &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
];

#[tokio::test]
async fn a_token_in_a_cookie_needs_the_same_origin_for_unsafe_methods() {
    let harness = with_cookies();
    for method in UNSAFE {
        for headers in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://api.example")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://api.example")],
            // Every browser sends at least one of these headers.
            &[],
        ] {
            assert_accepted(&send_cookie(&harness, method, headers).await, ALICE);
        }
        for headers in FOREIGN {
            assert_cross_site(&send_cookie(&harness, method, headers).await);
        }
    }
}

#[tokio::test]
async fn safe_methods_with_a_token_in_a_cookie_are_exempt() {
    let harness = with_cookies();
    for headers in FOREIGN {
        assert_accepted(&send_cookie(&harness, "GET", headers).await, ALICE);
        let head = send_cookie(&harness, "HEAD", headers).await;
        assert_eq!(head.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_websocket_upgrade_with_a_token_in_a_cookie_is_not_exempt() {
    let harness = with_cookies();
    let upgrades: [&[(&str, &str)]; 6] = [
        &[("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", "x")],
        &[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")],
        &[("connection", "keep-alive,upgrade")],
        &[("connection", "keep-alive"), ("connection", "UPGRADE")],
        &[("upgrade", "websocket")],
        &[("sec-websocket-key", "x"), ("sec-websocket-version", "13")],
    ];
    for upgrade in upgrades {
        let own = [upgrade, &[("origin", "https://api.example")]].concat();
        assert_accepted(&send_cookie(&harness, "GET", &own).await, ALICE);
        let foreign = [upgrade, &[("origin", "https://evil.example")]].concat();
        assert_cross_site(&send_cookie(&harness, "GET", &foreign).await);
        let foreign = [upgrade, &[("sec-fetch-site", "cross-site")]].concat();
        assert_cross_site(&send_cookie(&harness, "GET", &foreign).await);
    }
    let kept = [("connection", "keep-alive"), ("origin", "https://evil.example")];
    assert_accepted(&send_cookie(&harness, "GET", &kept).await, ALICE);
}

#[tokio::test]
async fn a_token_in_the_header_or_query_is_exempt() {
    let mut harness = with_cookies();
    let source = TokenSource::authorization_header().or_cookie(COOKIE).unwrap();
    harness.auth = harness.auth.with_source(source.dangerous_or_query());
    let token = access_token(&harness).await;
    let (header, cookie) = (bearer(&token), format!("{COOKIE}={token}"));
    for foreign in FOREIGN {
        let headers = [&[("authorization", &*header), ("cookie", &cookie)], foreign].concat();
        assert_accepted(&harness.send(request("POST", &headers)).await, ALICE);
        let mut request = request("POST", foreign);
        *request.uri_mut() = format!("/?access_token={token}").parse().unwrap();
        assert_accepted(&harness.send(request).await, ALICE);
    }
}

#[tokio::test]
async fn listed_origins_may_send_the_cookie_and_no_others() {
    let mut harness = with_cookies();
    let origins = OriginPolicy::same_origin()
        .with_trusted_origin("https://app.example")
        .and_then(|policy| policy.with_public_origin("https://shop.example"))
        .unwrap();
    harness.auth = harness.auth.with_origins(origins);
    let listed = [("sec-fetch-site", "cross-site"), ("origin", "https://app.example")];
    assert_accepted(&send_cookie(&harness, "POST", &listed).await, ALICE);
    let public = [("origin", "https://shop.example")];
    assert_accepted(&send_cookie(&harness, "POST", &public).await, ALICE);
    for foreign in FOREIGN {
        assert_cross_site(&send_cookie(&harness, "POST", foreign).await);
    }
    // With a public origin, the host is ignored.
    let host = [("origin", "https://api.example")];
    assert_cross_site(&send_cookie(&harness, "POST", &host).await);
}

#[tokio::test]
async fn the_null_origin_is_trusted_only_if_configured() {
    let mut harness = with_cookies();
    let null = [("sec-fetch-site", "cross-site"), ("origin", "null")];
    assert_cross_site(&send_cookie(&harness, "POST", &null).await);
    assert!(OriginPolicy::same_origin().with_trusted_origin("null").is_err());
    let origins = OriginPolicy::same_origin().dangerous_trust_null_origin();
    harness.auth = harness.auth.with_origins(origins);
    assert_accepted(&send_cookie(&harness, "POST", &null).await, ALICE);
    let other = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    assert_cross_site(&send_cookie(&harness, "POST", &other).await);
}
