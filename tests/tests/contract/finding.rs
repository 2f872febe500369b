//! Where the access token stands in a request, and what becomes of requests that have none.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, service_fn};
use tower_jwt_auth::{
    Anonymous, AuthError, Identity, OriginPolicy, RequestError, SigningKey, TokenError, TokenSource,
};
use tower_jwt_auth_tests::forge::Draft;
use tower_jwt_auth_tests::world::{Profile, echo, reason, request, send_to};
use tower_jwt_auth_tests::{Answer, Forge, World};

const COOKIE: &str = "__Host-access_token";
const ALICE: &str = "alice is Alice";

/// A world that also looks where this says.
fn looking(source: TokenSource) -> World {
    let mut world = World::new();
    world.auth = world.auth.with_source(source);
    world
}

fn with_cookies() -> World {
    looking(TokenSource::authorization_header().or_cookie(COOKIE).unwrap())
}

fn with_query() -> World {
    looking(TokenSource::authorization_header().dangerous_or_query())
}

async fn access_token(world: &World) -> String {
    world.sign_in().await.access().as_str().to_owned()
}

fn at(uri: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = request("GET", headers);
    *request.uri_mut() = uri.parse().unwrap();
    request
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Sends a request to the same service where credentials are optional.
async fn send_optional(world: &World, request: Request<Full<Bytes>>) -> Answer {
    send_to(world.auth.clone().optional().layer(service_fn(echo)), request).await
}

#[track_caller]
fn assert_let_in(answer: &Answer, as_whom: &str) {
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "{answer:?}: {:?}",
        answer.extensions.get::<AuthError>()
    );
    assert_eq!(answer.body, as_whom);
}

#[track_caller]
fn assert_without_credentials(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.challenge(), Some(r#"Bearer realm="api""#));
    assert!(answer.body.is_empty() && answer.header("content-type").is_none());
    assert_eq!(reason(answer), AuthError::Missing);
}

#[track_caller]
fn assert_bad_request(answer: &Answer, error: RequestError) {
    answer.assert_refused(StatusCode::BAD_REQUEST, "invalid_request");
    assert!(answer.challenge().unwrap().contains(r#"error="invalid_request""#));
    assert_eq!(reason(answer), AuthError::Request(error));
}

#[track_caller]
fn assert_cross_site(answer: &Answer) {
    answer.assert_refused(StatusCode::FORBIDDEN, "cross_site_request");
    assert!(answer.challenge().is_none(), "another token would not help");
    assert_eq!(reason(answer), AuthError::CrossSite);
}

#[tokio::test]
async fn a_request_without_credentials_gets_401_a_bare_challenge_and_no_error_code() {
    let world = World::new();
    assert_without_credentials(&world.send(request("GET", &[])).await);
    assert_without_credentials(&world.send(request("POST", &[])).await);
}

#[tokio::test]
async fn the_challenge_names_the_configured_realm() {
    let mut world = World::new();
    world.auth = world.auth.with_realm(r#"the "shop""#).unwrap();
    let answer = world.send(request("GET", &[])).await;
    assert_eq!(answer.challenge(), Some(r#"Bearer realm="the \"shop\"""#));
    let answer = world.call("x.y.z").await;
    assert!(answer.challenge().unwrap().starts_with(r#"Bearer realm="the \"shop\"", error="#));
}

#[tokio::test]
async fn another_scheme_is_no_credentials_and_anonymous_in_optional_mode() {
    let world = World::new();
    let token = access_token(&world).await;
    for other in [
        "Basic x",
        "Digest a=b",
        "Negotiate",
        "",
        &token,
        &format!("Token {token}"),
        &format!("JWT {token}"),
        &format!("Bearer-{token}"),
        &format!("Bearer:{token}"),
        &format!("XBearer {token}"),
        &format!("Bear er {token}"),
    ] {
        let headers = [("authorization", other)];
        assert_without_credentials(&world.send(request("GET", &headers)).await);
        assert_let_in(&send_optional(&world, request("GET", &headers)).await, "anonymous");
    }
}

#[tokio::test]
async fn what_is_not_bearer_and_one_token_is_a_bad_request_in_both_modes() {
    let world = World::new();
    let token = access_token(&world).await;
    assert_let_in(&world.call(&token).await, ALICE);
    for bad in [
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Bearer\t",
        "Bearer a b",
        "Bearer ,",
        &format!("Bearer {token} {token}"),
        &format!("Bearer {token},{token}"),
        &format!("Bearer {token}, Bearer {token}"),
        &format!("Bearer {token}, Basic x"),
        &format!("Bearer {token},"),
        &format!("Bearer ,{token}"),
        &format!("Bearer {token};"),
        &format!("Bearer {token} "),
        &format!("Bearer {token}\t"),
        &format!("Bearer \t{token}"),
        &format!("Bearer\t{token}"),
        &format!("Bearer \"{token}\""),
        &format!("Bearer {token}é"),
    ] {
        let headers = [("authorization", bad)];
        let answer = world.send(request("GET", &headers)).await;
        assert_bad_request(&answer, RequestError::Malformed);
        let answer = send_optional(&world, request("GET", &headers)).await;
        assert_bad_request(&answer, RequestError::Malformed);
    }
}

#[tokio::test]
async fn the_scheme_is_bearer_in_any_case() {
    let world = World::new();
    let token = access_token(&world).await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "] {
        let value = format!("{scheme} {token}");
        let answer = world.send(request("GET", &[("authorization", &value)])).await;
        assert_let_in(&answer, ALICE);
    }
}

#[tokio::test]
async fn two_authorization_headers_are_a_bad_request_whatever_they_say() {
    let world = World::new();
    let good = bearer(&access_token(&world).await);
    for (first, second) in
        [(&*good, &*good), (&good, "Basic x"), ("Basic x", &good), ("Basic x", "Basic x")]
    {
        let headers = [("authorization", first), ("authorization", second)];
        let answer = world.send(request("GET", &headers)).await;
        assert_bad_request(&answer, RequestError::SeveralTokens);
        let answer = send_optional(&world, request("GET", &headers)).await;
        assert_bad_request(&answer, RequestError::SeveralTokens);
    }
}

#[tokio::test]
async fn a_header_and_a_query_parameter_at_once_are_a_bad_request() {
    let world = with_query();
    let token = access_token(&world).await;
    let (uri, header) = (format!("/?access_token={token}"), bearer(&token));
    assert_let_in(&world.send(at(&uri, &[])).await, ALICE);
    assert_let_in(&world.send(at("/", &[("authorization", &header)])).await, ALICE);
    let answer = world.send(at(&uri, &[("authorization", &header)])).await;
    assert_bad_request(&answer, RequestError::SeveralTokens);
    let twice = format!("{uri}&access_token={token}");
    assert_bad_request(&world.send(at(&twice, &[])).await, RequestError::SeveralTokens);
}

#[tokio::test]
async fn of_a_header_and_a_cookie_the_header_is_judged_and_the_cookie_is_not() {
    let world = with_cookies();
    let (alice, bob) = (access_token(&world).await, {
        let bob = tower_jwt_auth::SignIn::new("bob", Profile { name: "Bob".into() });
        world.sign_in_as(bob).await.access().as_str().to_owned()
    });
    let send = async |header: &str, cookie: &str| {
        let cookie = format!("{COOKIE}={cookie}");
        world.send(at("/", &[("authorization", &bearer(header)), ("cookie", &cookie)])).await
    };
    assert_let_in(&send(&alice, &bob).await, ALICE);
    assert_let_in(&send(&bob, &alice).await, "bob is Bob");
    assert_let_in(&send(&alice, "garbage").await, ALICE);
    assert_let_in(&send(&alice, "a b").await, ALICE);
    let refused = send("x.y.z", &alice).await;
    refused.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn two_cookies_of_the_name_are_a_bad_request() {
    let world = with_cookies();
    let cookie = format!("{COOKIE}={}", access_token(&world).await);
    assert_let_in(&world.send(at("/", &[("cookie", &cookie)])).await, ALICE);
    let in_one = format!("{cookie}; {cookie}");
    for headers in [&[("cookie", &*in_one)][..], &[("cookie", &cookie), ("cookie", &cookie)]] {
        assert_bad_request(&world.send(at("/", headers)).await, RequestError::SeveralTokens);
    }
}

#[tokio::test]
async fn what_is_not_turned_on_is_not_looked_at() {
    let world = World::new();
    let token = access_token(&world).await;
    let (uri, cookie) = (format!("/?access_token={token}"), format!("{COOKIE}={token}"));
    let elsewhere = [
        ("cookie", &*cookie),
        ("cookie", &format!("access_token={token}")),
        ("x-access-token", &token),
        ("x-authorization", &bearer(&token)),
        ("proxy-authorization", &bearer(&token)),
        ("sec-websocket-protocol", &token),
    ];
    assert_without_credentials(&world.send(at(&uri, &elsewhere)).await);
    assert_without_credentials(&with_cookies().send(at(&uri, &[])).await);
    assert_without_credentials(&with_query().send(at("/", &[("cookie", &cookie)])).await);
    // Nor does it get in the way.
    let header = bearer(&token);
    let beside = [("authorization", &*header), ("cookie", "__Host-access_token=a b")];
    assert_let_in(&world.send(at("/?access_token=a&access_token=b", &beside)).await, ALICE);
}

#[tokio::test]
async fn a_token_in_the_body_is_not_looked_at() {
    let world = with_query();
    let token = access_token(&world).await;
    let mut request = request("POST", &[("content-type", "application/x-www-form-urlencoded")]);
    *request.body_mut() = Full::from(format!("access_token={token}"));
    assert_without_credentials(&world.send(request).await);
}

#[tokio::test]
async fn a_query_parameter_is_judged_where_turned_on() {
    let world = with_query();
    let token = access_token(&world).await;
    for query in ["?access_token={}", "?a=b&access_token={}", "?access_token={}&a=b&c"] {
        let uri = format!("/path{}", query.replace("{}", &token));
        assert_let_in(&world.send(at(&uri, &[])).await, ALICE);
    }
    for other in ["?access_tokens={}", "?xaccess_token={}", "?Access_Token={}", "?access_token"] {
        let uri = format!("/{}", other.replace("{}", &token));
        assert_without_credentials(&world.send(at(&uri, &[])).await);
    }
    let answer = world.send(at("/?access_token=", &[])).await;
    assert_bad_request(&answer, RequestError::Malformed);
    let answer = world.send(at("/?access_token=x.y.z", &[])).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn a_cookie_is_judged_where_turned_on() {
    let world = with_cookies();
    let token = access_token(&world).await;
    for good in ["{name}={}", "a=b; {name}={}; c=d", "{name}=\"{}\"", "a=\u{e9}; {name}={}"] {
        let cookie = good.replace("{name}", COOKIE).replace("{}", &token);
        assert_let_in(&world.send(at("/", &[("cookie", &cookie)])).await, ALICE);
    }
    let split = [("cookie", "a=b"), ("cookie", &*format!("{COOKIE}={token}"))];
    assert_let_in(&world.send(at("/", &split)).await, ALICE);
    for other in ["access_token={}", "x__Host-access_token={}", "__host-access_token={}"] {
        let cookie = other.replace("{}", &token);
        assert_without_credentials(&world.send(at("/", &[("cookie", &cookie)])).await);
    }
    // Beside another scheme the cookie is still the only credential.
    let beside = [("authorization", "Basic x"), ("cookie", &*format!("{COOKIE}={token}"))];
    assert_let_in(&world.send(at("/", &beside)).await, ALICE);
    let answer = world.send(at("/", &[("cookie", &format!("{COOKIE}=x.y.z"))])).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

// What a cookie that was cleared leaves in some clients.
#[tokio::test]
async fn an_empty_cookie_is_no_credentials() {
    let world = with_cookies();
    for empty in [format!("{COOKIE}="), format!("{COOKIE}=\"\""), format!("{COOKIE}=; a=b")] {
        let headers = [("cookie", &*empty)];
        assert_without_credentials(&world.send(at("/", &headers)).await);
        assert_let_in(&send_optional(&world, at("/", &headers)).await, "anonymous");
        let beside = format!("{empty}; {COOKIE}={}", access_token(&world).await);
        assert_let_in(&world.send(at("/", &[("cookie", &beside)])).await, ALICE);
    }
}

const PREFLIGHT: [(&str, &str); 2] =
    [("origin", "https://app.example"), ("access-control-request-method", "POST")];

#[tokio::test]
async fn preflights_pass_only_where_turned_on() {
    let world = World::new();
    assert_without_credentials(&world.send(request("OPTIONS", &PREFLIGHT)).await);
    let mut world = world;
    world.auth = world.auth.allow_preflights();
    assert_let_in(&world.send(request("OPTIONS", &PREFLIGHT)).await, "anonymous");
}

#[tokio::test]
async fn a_plain_options_never_passes() {
    let mut world = World::new();
    world.auth = world.auth.allow_preflights();
    assert_without_credentials(&world.send(request("OPTIONS", &[])).await);
    assert_without_credentials(&world.send(request("OPTIONS", &PREFLIGHT[..1])).await);
    assert_without_credentials(&world.send(request("OPTIONS", &PREFLIGHT[1..])).await);
    for method in ["GET", "HEAD", "POST", "PUT", "options"] {
        assert_without_credentials(&world.send(request(method, &PREFLIGHT)).await);
    }
}

#[tokio::test]
async fn a_preflight_passes_without_an_identity_even_with_a_token() {
    let mut world = World::new();
    world.auth = world.auth.allow_preflights();
    let token = bearer(&access_token(&world).await);
    let headers = [PREFLIGHT[0], PREFLIGHT[1], ("authorization", &*token)];
    assert_let_in(&world.send(request("OPTIONS", &headers)).await, "anonymous");
    let scope = world.auth.require_scope("read").unwrap();
    let service = world.auth.layer(scope.layer(service_fn(echo)));
    let answer = send_to(service, request("OPTIONS", &headers)).await;
    assert_ne!(answer.status, StatusCode::OK, "a requirement is not passed by");
}

#[tokio::test]
async fn in_optional_mode_no_credentials_are_anonymous_and_good_ones_are_not() {
    let world = World::new();
    assert_let_in(&send_optional(&world, request("GET", &[])).await, "anonymous");
    let token = bearer(&access_token(&world).await);
    let answer = send_optional(&world, request("GET", &[("authorization", &token)])).await;
    assert_let_in(&answer, ALICE);
}

#[tokio::test]
async fn in_optional_mode_bad_expired_and_revoked_tokens_are_refused_and_never_anonymous() {
    let world = World::new();
    let refused = async |token: &str, error: TokenError| {
        let token = bearer(token);
        let answer = send_optional(&world, request("GET", &[("authorization", &token)])).await;
        answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(reason(&answer), AuthError::Token(error));
    };
    let tokens = world.sign_in().await;
    let token = tokens.access().as_str();
    refused("x", TokenError::Encoding).await;
    let (signed, _) = token.rsplit_once('.').unwrap();
    refused(&format!("{signed}."), TokenError::Signature).await;
    world.logout(tokens.refresh().as_str()).await;
    refused(token, TokenError::Revoked).await;
    let other = access_token(&world).await;
    world.advance(305);
    refused(&other, TokenError::Expired).await;
}

#[tokio::test]
async fn in_optional_mode_a_bad_cookie_or_query_parameter_is_refused_too() {
    let source = TokenSource::authorization_header().or_cookie(COOKIE).unwrap();
    let world = looking(source.dangerous_or_query());
    let cookie = format!("{COOKIE}={}", access_token(&world).await);
    assert_let_in(&send_optional(&world, at("/", &[("cookie", &cookie)])).await, ALICE);
    let answer = send_optional(&world, at("/", &[("cookie", &format!("{COOKIE}=x.y.z"))])).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    let answer = send_optional(&world, at("/?access_token=x.y.z", &[])).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    let headers = [("cookie", &*cookie), ("sec-fetch-site", "cross-site")];
    assert_cross_site(&send_optional(&world, request("POST", &headers)).await);
}

#[tokio::test]
async fn what_an_outer_layer_found_is_not_the_inner_ones_word() {
    let world = World::new();
    let token = bearer(&access_token(&world).await);
    let headers = [("authorization", &*token)];
    let forget = tower::util::MapRequestLayer::new(|mut request: Request<Full<Bytes>>| {
        request.headers_mut().remove("authorization");
        request
    });
    let inner = world.auth.clone().optional().layer(service_fn(echo));
    let service = world.auth.layer(forget.layer(inner));
    assert_let_in(&send_to(service, request("GET", &headers)).await, "anonymous");
    // Nor is it that there is nobody.
    async fn is_anonymous(
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let anonymous = request.extensions().get::<Anonymous>().is_some();
        Ok(Response::new(Full::from(format!("anonymous: {anonymous}"))))
    }
    let value: http::HeaderValue = token.parse().unwrap();
    let add = tower::util::MapRequestLayer::new(move |mut request: Request<Full<Bytes>>| {
        request.headers_mut().insert("authorization", value.clone());
        request
    });
    let inner = world.auth.layer(service_fn(is_anonymous));
    let service = world.auth.clone().optional().layer(add.layer(inner));
    assert_let_in(&send_to(service, request("GET", &[])).await, "anonymous: false");
    let optional = world.auth.clone().optional().layer(service_fn(is_anonymous));
    assert_let_in(&send_to(optional, request("GET", &[])).await, "anonymous: true");
}

/// A token that lacks nothing and has exactly this length.
fn token_of_length(length: usize, world: &World, forge: &Forge) -> String {
    for padding in 0..8 {
        let draft = Draft::access("HS256", world.key.key_id()).header("pad", "h".repeat(padding));
        let bare = draft.clone().claim("pad", "").sign(forge).len();
        let about = (length - bare) / 4 * 3;
        for more in 0..8 {
            let token = draft.clone().claim("pad", "c".repeat(about + more)).sign(forge);
            if token.len() == length {
                return token;
            }
        }
    }
    panic!("no token has {length} bytes");
}

#[tokio::test]
async fn a_token_beyond_8_kib_is_a_bad_request_though_all_else_is_right() {
    let secret = [7; 32];
    let key = SigningKey::from_secret(tower_jwt_auth::Algorithm::HS256, &secret).unwrap();
    let (mut world, forge) = (World::with_key(key), Forge::hs256(&secret));
    assert_let_in(&world.call(&token_of_length(8192, &world, &forge)).await, ALICE);
    for length in [8193, 9 * 1024] {
        let token = token_of_length(length, &world, &forge);
        assert_bad_request(&world.call(&token).await, RequestError::TooLong);
        let answer = send_optional(&world, at("/", &[("authorization", &bearer(&token))])).await;
        assert_bad_request(&answer, RequestError::TooLong);
    }
    let source = TokenSource::authorization_header().or_cookie(COOKIE).unwrap();
    world.auth = world.auth.with_source(source.dangerous_or_query());
    let (longest, token) =
        (token_of_length(8192, &world, &forge), token_of_length(8193, &world, &forge));
    for (token, fits) in [(longest, true), (token, false)] {
        for request in [
            at(&format!("/?access_token={token}"), &[]),
            at("/", &[("cookie", &format!("{COOKIE}={token}"))]),
        ] {
            let answer = world.send(request).await;
            if fits {
                assert_let_in(&answer, ALICE);
            } else {
                assert_bad_request(&answer, RequestError::TooLong);
            }
        }
    }
}

#[tokio::test]
async fn an_oversized_header_is_refused_before_anything_of_it_is_decoded() {
    let world = World::new();
    for huge in ["a".repeat(1 << 20), ".".repeat(1 << 20), "é".repeat(1 << 16)] {
        assert_bad_request(&world.call(&huge).await, RequestError::TooLong);
    }
}

/// Sends the token in a cookie with this method and these headers.
async fn send_cookie(world: &World, method: &str, headers: &[(&str, &str)]) -> Answer {
    let cookie = format!("{COOKIE}={}", access_token(world).await);
    let headers = [&[("cookie", &*cookie), ("host", "api.example")], headers].concat();
    world.send(request(method, &headers)).await
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
    let world = with_cookies();
    for method in UNSAFE {
        for headers in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://api.example")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://api.example")],
            // No browser leaves both out.
            &[],
        ] {
            assert_let_in(&send_cookie(&world, method, headers).await, ALICE);
        }
        for headers in FOREIGN {
            assert_cross_site(&send_cookie(&world, method, headers).await);
        }
    }
}

#[tokio::test]
async fn reading_with_a_token_in_a_cookie_is_exempt() {
    let world = with_cookies();
    for headers in FOREIGN {
        assert_let_in(&send_cookie(&world, "GET", headers).await, ALICE);
        let head = send_cookie(&world, "HEAD", headers).await;
        assert_eq!(head.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_websocket_upgrade_with_a_token_in_a_cookie_is_not_exempt() {
    let world = with_cookies();
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
        assert_let_in(&send_cookie(&world, "GET", &own).await, ALICE);
        let foreign = [upgrade, &[("origin", "https://evil.example")]].concat();
        assert_cross_site(&send_cookie(&world, "GET", &foreign).await);
        let foreign = [upgrade, &[("sec-fetch-site", "cross-site")]].concat();
        assert_cross_site(&send_cookie(&world, "GET", &foreign).await);
    }
    let kept = [("connection", "keep-alive"), ("origin", "https://evil.example")];
    assert_let_in(&send_cookie(&world, "GET", &kept).await, ALICE);
}

#[tokio::test]
async fn a_token_that_the_clients_code_put_there_is_exempt() {
    let mut world = with_cookies();
    let source = TokenSource::authorization_header().or_cookie(COOKIE).unwrap();
    world.auth = world.auth.with_source(source.dangerous_or_query());
    let token = access_token(&world).await;
    let (header, cookie) = (bearer(&token), format!("{COOKIE}={token}"));
    for foreign in FOREIGN {
        let headers = [&[("authorization", &*header), ("cookie", &cookie)], foreign].concat();
        assert_let_in(&world.send(request("POST", &headers)).await, ALICE);
        let mut request = request("POST", foreign);
        *request.uri_mut() = format!("/?access_token={token}").parse().unwrap();
        assert_let_in(&world.send(request).await, ALICE);
    }
}

#[tokio::test]
async fn listed_origins_may_send_the_cookie_and_no_others() {
    let mut world = with_cookies();
    let origins = OriginPolicy::same_origin()
        .with_trusted_origin("https://app.example")
        .and_then(|policy| policy.with_public_origin("https://shop.example"))
        .unwrap();
    world.auth = world.auth.with_origins(origins);
    let listed = [("sec-fetch-site", "cross-site"), ("origin", "https://app.example")];
    assert_let_in(&send_cookie(&world, "POST", &listed).await, ALICE);
    let public = [("origin", "https://shop.example")];
    assert_let_in(&send_cookie(&world, "POST", &public).await, ALICE);
    for foreign in FOREIGN {
        assert_cross_site(&send_cookie(&world, "POST", foreign).await);
    }
    // Where a public origin is set, the host is not believed.
    let host = [("origin", "https://api.example")];
    assert_cross_site(&send_cookie(&world, "POST", &host).await);
}

#[tokio::test]
async fn the_null_origin_is_trusted_only_where_that_is_said() {
    let mut world = with_cookies();
    let null = [("sec-fetch-site", "cross-site"), ("origin", "null")];
    assert_cross_site(&send_cookie(&world, "POST", &null).await);
    assert!(OriginPolicy::same_origin().with_trusted_origin("null").is_err());
    let origins = OriginPolicy::same_origin().dangerous_trust_null_origin();
    world.auth = world.auth.with_origins(origins);
    assert_let_in(&send_cookie(&world, "POST", &null).await, ALICE);
    let other = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    assert_cross_site(&send_cookie(&world, "POST", &other).await);
}

// Lines 1, 3, 11 and 48, on gRPC's side.
#[tokio::test]
async fn grpc_refusals_have_no_body() {
    let world = with_cookies();
    let cookie = format!("{COOKIE}={}", access_token(&world).await);
    for content_type in ["application/grpc", "application/grpc+proto", "Application/GRPC"] {
        for (name, value, status) in [
            ("x", "y", StatusCode::UNAUTHORIZED),
            ("authorization", "Bearer x.y.z", StatusCode::UNAUTHORIZED),
            ("authorization", "Bearer", StatusCode::BAD_REQUEST),
            ("cookie", &*cookie, StatusCode::FORBIDDEN),
        ] {
            let headers =
                [("content-type", content_type), (name, value), ("sec-fetch-site", "cross-site")];
            let answer = world.send(request("POST", &headers)).await;
            assert_eq!(answer.status, status);
            assert!(answer.body.is_empty() && answer.header("content-type").is_none());
            assert_eq!(answer.challenge().is_some(), status != StatusCode::FORBIDDEN);
            reason(&answer);
        }
    }
    let scope = world.auth.require_scope("admin").unwrap();
    let service = world.auth.layer(scope.layer(service_fn(echo)));
    let headers = [("content-type", "application/grpc"), ("cookie", &*cookie)];
    let answer = send_to(service, request("POST", &headers)).await;
    assert!(answer.status == StatusCode::FORBIDDEN && answer.body.is_empty());
}

// What the inner service may log of a request's headers.
#[tokio::test]
async fn credentials_are_marked_sensitive_when_they_reach_the_inner_service() {
    let mut world = with_cookies();
    world.auth = world.auth.allow_preflights();
    async fn tell(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
        let fields = request.headers().iter();
        let shown: Vec<_> = fields
            .filter(|(_, value)| !value.is_sensitive())
            .map(|(name, _)| name.as_str())
            .collect();
        Ok(Response::new(Full::from(format!("{shown:?}"))))
    }
    let token = access_token(&world).await;
    let (header, cookie) = (bearer(&token), format!("{COOKIE}={token}"));
    let both = [("authorization", &*header), ("cookie", &cookie), ("cookie", "a=b"), ("x", "y")];
    let cookies = [("cookie", "a=b"), ("cookie", &*cookie), ("x", "y")];
    let basic = [("authorization", "Basic x"), ("cookie", "a=b"), ("x", "y")];
    for headers in [&both[..], &cookies] {
        let answer = send_to(world.auth.layer(service_fn(tell)), request("GET", headers)).await;
        assert_let_in(&answer, r#"["x"]"#);
    }
    let optional = world.auth.clone().optional();
    let answer = send_to(optional.layer(service_fn(tell)), request("GET", &basic)).await;
    assert_let_in(&answer, r#"["x"]"#);
    let preflight = [&PREFLIGHT, &basic[..]].concat();
    let answer = send_to(world.auth.layer(service_fn(tell)), request("OPTIONS", &preflight)).await;
    assert_let_in(&answer, r#"["origin", "access-control-request-method", "x"]"#);
}

fn app(handler: axum::routing::MethodRouter) -> Router {
    Router::new().route("/", handler)
}

async fn who(identity: Identity<Profile>) -> String {
    format!("{} is {}", identity.subject(), identity.claims().name)
}

async fn who_if_any(identity: Option<Identity<Profile>>) -> String {
    identity.map_or("nobody".to_owned(), |identity| identity.subject().to_owned())
}

#[tokio::test]
async fn a_handler_that_takes_an_option_sees_nobody_and_somebody() {
    let world = World::new();
    let app = app(get(who_if_any)).layer(world.auth.clone().optional());
    assert_let_in(&send_to(app.clone(), request("GET", &[])).await, "nobody");
    let token = bearer(&access_token(&world).await);
    let answer = send_to(app.clone(), request("GET", &[("authorization", &token)])).await;
    assert_let_in(&answer, "alice");
    let answer = send_to(app, request("GET", &[("authorization", "Bearer x.y.z")])).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn a_handler_that_needs_an_identity_refuses_nobody_with_a_bare_challenge() {
    let world = World::new();
    let optional = world.auth.clone().with_realm("shop").unwrap().optional();
    let app = app(get(who)).layer(optional);
    let answer = send_to(app.clone(), request("GET", &[])).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.challenge(), Some(r#"Bearer realm="shop""#));
    assert!(answer.body.is_empty());
    assert_eq!(reason(&answer), AuthError::Missing);
    let token = bearer(&access_token(&world).await);
    let answer = send_to(app, request("GET", &[("authorization", &token)])).await;
    assert_let_in(&answer, ALICE);
}

#[track_caller]
fn assert_no_layer(answer: &Answer) {
    answer.assert_refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    assert!(answer.challenge().is_none());
    assert_eq!(reason(answer), AuthError::MissingLayer);
}

// What was left unprotected must not look protected.
#[tokio::test]
async fn a_handler_outside_of_the_layer_or_of_its_claims_answers_500_and_never_200() {
    let world = World::new();
    let token = bearer(&access_token(&world).await);
    let headers = [("authorization", &*token)];
    for unprotected in [app(get(who)), app(get(who_if_any))] {
        assert_no_layer(&send_to(unprotected.clone(), request("GET", &[])).await);
        assert_no_layer(&send_to(unprotected, request("GET", &headers)).await);
    }
    // A type that is not the layer's, whether it is needed or not.
    let others = async |_: Identity<String>| "let in";
    let others_if_any = async |_: Option<Identity<String>>| "let in";
    let wrong = app(get(others)).layer(world.auth.clone());
    assert_no_layer(&send_to(wrong, request("GET", &headers)).await);
    let wrong = app(get(others_if_any)).layer(world.auth.clone());
    assert_no_layer(&send_to(wrong, request("GET", &headers)).await);
}

#[tokio::test]
async fn a_requirement_outside_of_its_layer_answers_500_and_never_200() {
    let world = World::new();
    let token = bearer(&access_token(&world).await);
    let headers = [("authorization", &*token)];
    let scope = world.auth.require_scope("read").unwrap();
    let fresh = world.auth.require_fresh_login(Duration::from_secs(300)).unwrap();
    // The right way round first.
    let inside = world.auth.layer(scope.layer(fresh.layer(service_fn(echo))));
    assert_let_in(&send_to(inside, request("GET", &headers)).await, ALICE);
    for headers in [&headers[..], &[]] {
        let outside = scope.layer(world.auth.layer(service_fn(echo)));
        assert_no_layer(&send_to(outside, request("GET", headers)).await);
        let outside = fresh.layer(world.auth.layer(service_fn(echo)));
        assert_no_layer(&send_to(outside, request("GET", headers)).await);
        assert_no_layer(&send_to(scope.layer(service_fn(echo)), request("GET", headers)).await);
        assert_no_layer(&send_to(fresh.layer(service_fn(echo)), request("GET", headers)).await);
    }
}

#[tokio::test]
async fn a_requirement_refuses_an_anonymous_request_with_a_bare_challenge() {
    let world = World::new();
    let optional = world.auth.clone().optional();
    let scope = world.auth.require_scope("read").unwrap();
    let service = optional.layer(scope.layer(service_fn(echo)));
    assert_without_credentials(&send_to(service.clone(), request("GET", &[])).await);
    let token = bearer(&access_token(&world).await);
    let headers = [("authorization", &*token)];
    assert_let_in(&send_to(service, request("GET", &headers)).await, ALICE);
    let fresh = world.auth.require_fresh_login(Duration::from_secs(300)).unwrap();
    let service = optional.layer(fresh.layer(service_fn(echo)));
    assert_without_credentials(&send_to(service, request("GET", &[])).await);
}
