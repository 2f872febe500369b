//! Several sources in one request, and sources that are not enabled.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, service_fn};
use tower_jwt_auth::tokens::RequestError;
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::harness::{Profile, request, send_to};

use super::preflight::PREFLIGHT;
use super::{
    ALICE, COOKIE, access_token, assert_accepted, assert_bad_request, assert_without_credentials,
    at, bearer, with_cookies, with_query,
};

#[tokio::test]
async fn a_header_and_a_query_parameter_at_once_are_a_bad_request() {
    let harness = with_query();
    let token = access_token(&harness).await;
    let (uri, header) = (format!("/?access_token={token}"), bearer(&token));
    assert_accepted(&harness.send(at(&uri, &[])).await, ALICE);
    assert_accepted(&harness.send(at("/", &[("authorization", &header)])).await, ALICE);
    let response = harness.send(at(&uri, &[("authorization", &header)])).await;
    assert_bad_request(&response, RequestError::SeveralTokens);
    let twice = format!("{uri}&access_token={token}");
    assert_bad_request(&harness.send(at(&twice, &[])).await, RequestError::SeveralTokens);
}

#[tokio::test]
async fn beside_a_header_the_cookie_is_ignored() {
    let harness = with_cookies();
    let (alice, bob) = (access_token(&harness).await, {
        let bob = tower_jwt_auth::SignIn::new("bob").with_claims(Profile { name: "Bob".into() });
        harness.sign_in_as(bob).await.access().as_str().to_owned()
    });
    let send = async |header: &str, cookie: &str| {
        let cookie = format!("{COOKIE}={cookie}");
        harness.send(at("/", &[("authorization", &bearer(header)), ("cookie", &cookie)])).await
    };
    assert_accepted(&send(&alice, &bob).await, ALICE);
    assert_accepted(&send(&bob, &alice).await, "bob is Bob");
    assert_accepted(&send(&alice, "garbage").await, ALICE);
    assert_accepted(&send(&alice, "a b").await, ALICE);
    let refused = send("x.y.z", &alice).await;
    refused.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn sources_that_are_not_enabled_are_ignored() {
    let harness = Harness::new();
    let token = access_token(&harness).await;
    let (uri, cookie) = (format!("/?access_token={token}"), format!("{COOKIE}={token}"));
    let elsewhere = [
        ("cookie", &*cookie),
        ("cookie", &format!("access_token={token}")),
        ("x-access-token", &token),
        ("x-authorization", &bearer(&token)),
        ("proxy-authorization", &bearer(&token)),
        ("sec-websocket-protocol", &token),
    ];
    assert_without_credentials(&harness.send(at(&uri, &elsewhere)).await);
    assert_without_credentials(&with_cookies().send(at(&uri, &[])).await);
    assert_without_credentials(&with_query().send(at("/", &[("cookie", &cookie)])).await);
    // A disabled source does not affect the others either.
    let header = bearer(&token);
    let beside = [("authorization", &*header), ("cookie", "__Host-access_token=a b")];
    assert_accepted(&harness.send(at("/?access_token=a&access_token=b", &beside)).await, ALICE);
}

#[tokio::test]
async fn a_token_in_the_body_is_ignored() {
    let harness = with_query();
    let token = access_token(&harness).await;
    let mut request = request("POST", &[("content-type", "application/x-www-form-urlencoded")]);
    *request.body_mut() = Full::from(format!("access_token={token}"));
    assert_without_credentials(&harness.send(request).await);
}

// The inner service may log the headers of a request.
#[tokio::test]
async fn credentials_are_marked_sensitive_when_they_reach_the_inner_service() {
    let mut harness = with_cookies();
    harness.auth = harness.auth.allow_preflights();
    async fn report_sensitive(
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let fields = request.headers().iter();
        let shown: Vec<_> = fields
            .filter(|(_, value)| !value.is_sensitive())
            .map(|(name, _)| name.as_str())
            .collect();
        Ok(Response::new(Full::from(format!("{shown:?}"))))
    }
    let token = access_token(&harness).await;
    let (header, cookie) = (bearer(&token), format!("{COOKIE}={token}"));
    let both = [("authorization", &*header), ("cookie", &cookie), ("cookie", "a=b"), ("x", "y")];
    let cookies = [("cookie", "a=b"), ("cookie", &*cookie), ("x", "y")];
    let basic = [("authorization", "Basic x"), ("cookie", "a=b"), ("x", "y")];
    for headers in [&both[..], &cookies] {
        let response =
            send_to(harness.auth.layer(service_fn(report_sensitive)), request("GET", headers))
                .await;
        assert_accepted(&response, r#"["x"]"#);
    }
    let optional = harness.auth.clone().optional();
    let response =
        send_to(optional.layer(service_fn(report_sensitive)), request("GET", &basic)).await;
    assert_accepted(&response, r#"["x"]"#);
    let preflight = [&PREFLIGHT, &basic[..]].concat();
    let response =
        send_to(harness.auth.layer(service_fn(report_sensitive)), request("OPTIONS", &preflight))
            .await;
    assert_accepted(&response, r#"["origin", "access-control-request-method", "x"]"#);
}
