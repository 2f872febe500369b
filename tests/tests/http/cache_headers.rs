//! `Vary` and `Cache-Control` of responses that depend on a cookie.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, service_fn};
use tower_jwt_auth::{JwtAuthLayer, TokenSource};
use tower_jwt_auth_tests::harness::{Profile, echo, request, send_to};
use tower_jwt_auth_tests::{Harness, TestResponse};

use crate::token_source::{COOKIE, access_token, with_cookies};

/// Returns all fields with this name.
fn all(response: &TestResponse, name: &str) -> Vec<String> {
    let values = response.headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_cache_headers(response: &TestResponse, vary: &[&str], cache_control: &[&str]) {
    assert_eq!(all(response, "vary"), vary, "{response:?}");
    assert_eq!(all(response, "cache-control"), cache_control, "{response:?}");
}

/// Calls a service that answers with these headers.
async fn call_answering(
    auth: &JwtAuthLayer<Profile>,
    request: Request<Full<Bytes>>,
    response: &[(&'static str, &'static str)],
) -> TestResponse {
    let mut headers = HeaderMap::new();
    for (name, value) in response {
        headers.append(*name, HeaderValue::from_static(value));
    }
    let service = service_fn(move |_: Request<Full<Bytes>>| {
        let mut response = Response::new(Full::<Bytes>::default());
        *response.headers_mut() = headers.clone();
        std::future::ready(Ok::<_, Infallible>(response))
    });
    send_to(auth.layer(service), request).await
}

#[tokio::test]
async fn the_response_to_a_token_in_a_cookie_is_private_and_varies_with_it() {
    let harness = with_cookies();
    let cookie = format!("{COOKIE}={}", access_token(&harness).await);
    let response = harness.send(request("GET", &[("cookie", &cookie)])).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_cache_headers(&response, &["Cookie"], &["private"]);
}

#[tokio::test]
async fn the_response_to_a_token_in_the_header_is_left_as_it_is() {
    let harness = with_cookies();
    let token = access_token(&harness).await;
    let (header, cookie) = (format!("Bearer {token}"), format!("{COOKIE}={token}"));
    let both = [("authorization", &*header), ("cookie", &cookie)];
    assert_cache_headers(&harness.send(request("GET", &both)).await, &[], &[]);
    let bad = [("authorization", "Bearer"), ("cookie", &cookie)];
    assert_cache_headers(&harness.send(request("GET", &bad)).await, &[], &["no-store"]);
    // If the layer does not read cookies, they do not affect the response.
    let harness = Harness::new();
    let response = harness.send(request("GET", &[("cookie", &cookie)])).await;
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    assert_cache_headers(&response, &[], &[]);
}

#[tokio::test]
async fn the_response_to_a_request_without_the_cookie_varies_with_it() {
    let harness = with_cookies();
    let missing = harness.send(request("GET", &[("cookie", "other=1")])).await;
    assert_eq!(missing.status, StatusCode::UNAUTHORIZED);
    assert_cache_headers(&missing, &["Cookie"], &[]);
    let optional = harness.auth.clone().optional().layer(service_fn(echo));
    let anonymous = send_to(optional, request("GET", &[])).await;
    assert_eq!(anonymous.body, "anonymous");
    assert_cache_headers(&anonymous, &["Cookie"], &[]);
}

#[tokio::test]
async fn a_refusal_that_a_cookie_caused_varies_with_it() {
    let harness = with_cookies();
    let good = format!("{COOKIE}={}", access_token(&harness).await);
    let bad = format!("{COOKIE}=x.y.z");
    let several = format!("{COOKIE}=a; {COOKIE}=b");
    let foreign = ("sec-fetch-site", "cross-site");
    for (headers, status) in [
        (&[("cookie", &*bad)][..], StatusCode::UNAUTHORIZED),
        (&[("cookie", &*several)], StatusCode::BAD_REQUEST),
        (&[("cookie", &*good), foreign], StatusCode::FORBIDDEN),
    ] {
        let response = harness.send(request("POST", headers)).await;
        assert_eq!(response.status, status);
        assert_cache_headers(&response, &["Cookie"], &["no-store"]);
        // A gRPC refusal has no body, so the layer does not forbid storing it.
        let headers = [headers, &[("content-type", "application/grpc")]].concat();
        assert_cache_headers(
            &harness.send(request("POST", &headers)).await,
            &["Cookie"],
            &["private"],
        );
    }
}

/// A cookie gets the protection that RFC 9111 §3.5 gives to `Authorization`.
#[tokio::test]
async fn headers_of_the_inner_service_are_kept_and_public_is_respected() {
    let harness = with_cookies();
    let cookie = format!("{COOKIE}={}", access_token(&harness).await);
    for (inner, vary, cache_control) in [
        (&[("vary", "Origin")][..], &["Origin", "Cookie"][..], &["private"][..]),
        (&[("vary", "Accept, cookie")], &["Accept, cookie"], &["private"]),
        (&[("cache-control", "public, max-age=60")], &["Cookie"], &["public, max-age=60"]),
        (&[("cache-control", "s-maxage=60")], &["Cookie"], &["s-maxage=60"]),
        (&[("cache-control", "no-store")], &["Cookie"], &["no-store"]),
        (&[("cache-control", "max-age=60")], &["Cookie"], &["max-age=60", "private"]),
    ] {
        let response =
            call_answering(&harness.auth, request("GET", &[("cookie", &cookie)]), inner).await;
        assert_cache_headers(&response, vary, cache_control);
    }
}

#[tokio::test]
async fn a_response_that_waited_for_the_store_has_the_same_headers() {
    let mut harness = with_cookies();
    let cookie = format!("{COOKIE}={}", access_token(&harness).await);
    harness.sessions.revocations().ready().await;
    harness.auth = harness.auth.with_max_staleness(Duration::ZERO);
    // The list is now stale, so the layer queries the store.
    harness.advance(1);
    let response = harness.send(request("GET", &[("cookie", &cookie)])).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_cache_headers(&response, &["Cookie"], &["private"]);
}

/// RFC 6750 §2.3.
#[tokio::test]
async fn the_response_to_a_token_in_the_query_is_private() {
    let mut harness = Harness::new();
    harness.auth =
        harness.auth.with_source(TokenSource::authorization_header().dangerous_or_query());
    let mut with_token = request("GET", &[]);
    *with_token.uri_mut() =
        format!("/?access_token={}", access_token(&harness).await).parse().unwrap();
    let response = harness.send(with_token).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_cache_headers(&response, &[], &["private"]);
}
