//! What caches are told of responses that a cookie decided.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, service_fn};
use tower_jwt_auth::{JwtAuthLayer, TokenSource};
use tower_jwt_auth_tests::world::{Profile, echo, request, send_to};
use tower_jwt_auth_tests::{Answer, World};

const COOKIE: &str = "__Host-access_token";

fn with_cookies() -> World {
    let mut world = World::new();
    let source = TokenSource::authorization_header().or_cookie(COOKIE).unwrap();
    world.auth = world.auth.with_source(source);
    world
}

/// A list, field by field.
fn all(answer: &Answer, name: &str) -> Vec<String> {
    let values = answer.headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_told(answer: &Answer, vary: &[&str], cache_control: &[&str]) {
    assert_eq!(all(answer, "vary"), vary, "{answer:?}");
    assert_eq!(all(answer, "cache-control"), cache_control, "{answer:?}");
}

async fn token(world: &World) -> String {
    world.sign_in().await.access().as_str().to_owned()
}

/// Calls a service that answers with these headers.
async fn call_answering(
    auth: &JwtAuthLayer<Profile>,
    request: Request<Full<Bytes>>,
    answer: &[(&'static str, &'static str)],
) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in answer {
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
    let world = with_cookies();
    let cookie = format!("{COOKIE}={}", token(&world).await);
    let answer = world.send(request("GET", &[("cookie", &cookie)])).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_told(&answer, &["Cookie"], &["private"]);
}

#[tokio::test]
async fn the_response_to_a_token_in_the_header_is_left_as_it_is() {
    let world = with_cookies();
    let token = token(&world).await;
    let (header, cookie) = (format!("Bearer {token}"), format!("{COOKIE}={token}"));
    let both = [("authorization", &*header), ("cookie", &cookie)];
    assert_told(&world.send(request("GET", &both)).await, &[], &[]);
    let bad = [("authorization", "Bearer"), ("cookie", &cookie)];
    assert_told(&world.send(request("GET", &bad)).await, &[], &["no-store"]);
    // Where cookies are not looked at, they decide nothing.
    let world = World::new();
    let answer = world.send(request("GET", &[("cookie", &cookie)])).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_told(&answer, &[], &[]);
}

#[tokio::test]
async fn a_response_that_lacks_the_cookie_varies_with_it() {
    let world = with_cookies();
    let missing = world.send(request("GET", &[("cookie", "other=1")])).await;
    assert_eq!(missing.status, StatusCode::UNAUTHORIZED);
    assert_told(&missing, &["Cookie"], &[]);
    let optional = world.auth.clone().optional().layer(service_fn(echo));
    let anonymous = send_to(optional, request("GET", &[])).await;
    assert_eq!(anonymous.body, "anonymous");
    assert_told(&anonymous, &["Cookie"], &[]);
}

#[tokio::test]
async fn a_refusal_that_a_cookie_caused_varies_with_it() {
    let world = with_cookies();
    let good = format!("{COOKIE}={}", token(&world).await);
    let bad = format!("{COOKIE}=x.y.z");
    let several = format!("{COOKIE}=a; {COOKIE}=b");
    let foreign = ("sec-fetch-site", "cross-site");
    for (headers, status) in [
        (&[("cookie", &*bad)][..], StatusCode::UNAUTHORIZED),
        (&[("cookie", &*several)], StatusCode::BAD_REQUEST),
        (&[("cookie", &*good), foreign], StatusCode::FORBIDDEN),
    ] {
        let answer = world.send(request("POST", headers)).await;
        assert_eq!(answer.status, status);
        assert_told(&answer, &["Cookie"], &["no-store"]);
        // gRPC gets no body, and so no word from us about storing it.
        let headers = [headers, &[("content-type", "application/grpc")]].concat();
        assert_told(&world.send(request("POST", &headers)).await, &["Cookie"], &["private"]);
    }
}

/// A cookie gets the protection that RFC 9111 §3.5 gives to `Authorization`.
#[tokio::test]
async fn what_the_service_inside_says_is_kept_and_public_is_its_decision() {
    let world = with_cookies();
    let cookie = format!("{COOKIE}={}", token(&world).await);
    for (inner, vary, cache_control) in [
        (&[("vary", "Origin")][..], &["Origin", "Cookie"][..], &["private"][..]),
        (&[("vary", "Accept, cookie")], &["Accept, cookie"], &["private"]),
        (&[("cache-control", "public, max-age=60")], &["Cookie"], &["public, max-age=60"]),
        (&[("cache-control", "s-maxage=60")], &["Cookie"], &["s-maxage=60"]),
        (&[("cache-control", "no-store")], &["Cookie"], &["no-store"]),
        (&[("cache-control", "max-age=60")], &["Cookie"], &["max-age=60", "private"]),
    ] {
        let answer =
            call_answering(&world.auth, request("GET", &[("cookie", &cookie)]), inner).await;
        assert_told(&answer, vary, cache_control);
    }
}

#[tokio::test]
async fn a_response_that_waited_for_the_store_is_told_the_same() {
    let mut world = with_cookies();
    let cookie = format!("{COOKIE}={}", token(&world).await);
    world.sessions.revocations().ready().await;
    world.auth = world.auth.with_max_staleness(Duration::ZERO);
    // The list is older than that now: the store is asked.
    world.advance(1);
    let answer = world.send(request("GET", &[("cookie", &cookie)])).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_told(&answer, &["Cookie"], &["private"]);
}

/// RFC 6750 §2.3.
#[tokio::test]
async fn the_response_to_a_token_in_the_address_is_private() {
    let mut world = World::new();
    world.auth = world.auth.with_source(TokenSource::authorization_header().dangerous_or_query());
    let mut with_token = request("GET", &[]);
    *with_token.uri_mut() = format!("/?access_token={}", token(&world).await).parse().unwrap();
    let answer = world.send(with_token).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_told(&answer, &[], &["private"]);
}
