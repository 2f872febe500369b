//! Cookies and cross-site requests: lines 45 to 47 and 49.

use http::StatusCode;
use tower_jwt_auth::{
    ConfigError, LogoutService, OriginPolicy, RefreshCookie, RefreshRejection, SameSite,
};
use tower_jwt_auth_tests::world::{request, send_to};
use tower_jwt_auth_tests::{Answer, World};

/// The attributes of a `Set-Cookie`, sorted.
fn attributes(answer: &Answer) -> Vec<String> {
    let cookie = answer.set_cookie().expect("a cookie");
    let mut attributes: Vec<_> = cookie.split("; ").skip(1).map(str::to_owned).collect();
    attributes.sort();
    attributes
}

async fn refresh_and_logout(world: &World) -> [Answer; 2] {
    let tokens = world.sign_in().await;
    let refreshed = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(refreshed.status, StatusCode::OK);
    let logged_out = world.logout(refreshed.cookie_value().unwrap()).await;
    [refreshed, logged_out]
}

#[tokio::test]
async fn the_default_cookie_is_host_bound_http_only_secure_and_strict() {
    let world = World::new();
    let [set, cleared] = refresh_and_logout(&world).await;
    let left = 30 * 24 * 3600;
    for (answer, max_age) in [(&set, left), (&cleared, 0)] {
        let expected =
            ["HttpOnly", &format!("Max-Age={max_age}"), "Path=/", "SameSite=Strict", "Secure"];
        assert_eq!(attributes(answer), expected);
        assert!(answer.set_cookie().unwrap().starts_with("__Host-refresh_token="));
        let value = answer.headers.get("set-cookie").unwrap();
        assert!(value.is_sensitive(), "layers that log headers leave it out");
    }
}

#[tokio::test]
async fn a_configured_cookie_is_set_and_cleared_as_configured() {
    let mut world = World::new();
    world.cookie = RefreshCookie::secure("/auth")
        .unwrap()
        .with_same_site(SameSite::Lax)
        .unwrap()
        .with_domain("shop.example")
        .unwrap();
    let [set, cleared] = refresh_and_logout(&world).await;
    for answer in [&set, &cleared] {
        let mut expected = attributes(answer);
        expected.retain(|attribute| !attribute.starts_with("Max-Age="));
        let configured =
            ["Domain=shop.example", "HttpOnly", "Path=/auth", "SameSite=Lax", "Secure"];
        assert_eq!(expected, configured);
        assert!(answer.set_cookie().unwrap().starts_with("__Secure-refresh_token="));
    }
}

#[tokio::test]
async fn the_development_profile_alone_is_not_secure() {
    let mut world = World::new();
    world.cookie = RefreshCookie::development();
    let [set, _] = refresh_and_logout(&world).await;
    assert_eq!(set.set_cookie().unwrap().split('=').next(), Some("refresh_token"));
    let expected =
        ["HttpOnly", &format!("Max-Age={}", 30 * 24 * 3600), "Path=/", "SameSite=Strict"];
    assert_eq!(attributes(&set), expected);
}

#[tokio::test]
async fn max_age_is_what_is_left_and_not_a_constant() {
    let world = World::new();
    let tokens = world.sign_in().await;
    world.refresh(tokens.refresh().as_str()).await;
    world.advance(5);
    let replayed = world.refresh(tokens.refresh().as_str()).await;
    let left = 30 * 24 * 3600 - 5;
    assert!(attributes(&replayed).contains(&format!("Max-Age={left}")), "{replayed:?}");
}

#[test]
fn cookies_that_browsers_would_drop_are_refused_at_build_time() {
    let secure = || RefreshCookie::secure("/auth").unwrap();
    let bad = [
        RefreshCookie::host().with_domain("shop.example"),
        RefreshCookie::secure("/auth").and_then(|c| c.with_name("__Host-x")),
        RefreshCookie::secure("/auth").and_then(|c| c.with_name("__hOST-x")),
        RefreshCookie::development().with_name("__Host-x"),
        RefreshCookie::development().with_name("__Secure-x"),
        RefreshCookie::development().with_name("__SECURE-x"),
        RefreshCookie::development().with_same_site(SameSite::None),
        RefreshCookie::host().with_name(""),
        RefreshCookie::host().with_name("a b"),
        RefreshCookie::host().with_name("a;b"),
        RefreshCookie::host().with_name("a=b"),
        RefreshCookie::host().with_name("a\r\nb"),
        secure().with_domain("a;b"),
        secure().with_domain(""),
        RefreshCookie::secure(""),
        RefreshCookie::secure("auth"),
        RefreshCookie::secure("/a;b"),
        RefreshCookie::secure("/a\r\n"),
    ];
    for result in bad {
        assert!(matches!(result, Err(ConfigError::Cookie { .. })), "{result:?}");
    }
    assert!(RefreshCookie::host().with_same_site(SameSite::None).is_ok());
    assert!(RefreshCookie::host().with_name("__Host-other").is_ok());
}

#[tokio::test]
async fn cookies_with_a_bad_signature_are_passed_over() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let good = tokens.refresh().as_str();
    let name = world.cookie.name();
    let header = format!("{name}=planted; other=1; {name}={good}; {name}=\u{fe}\u{ff}");
    let answer = send_to(world.refresh_service(), request("POST", &[("cookie", &header)])).await;
    assert_eq!(answer.status, StatusCode::OK);

    let first = format!("{name}=planted");
    let second = format!("{name}={good}");
    let split = [("cookie", first.as_str()), ("cookie", second.as_str())];
    let answer = send_to(world.refresh_service(), request("POST", &split)).await;
    assert_eq!(answer.status, StatusCode::OK, "HTTP/2 may split the header");
}

#[tokio::test]
async fn two_sessions_in_cookies_are_refused_in_either_order_and_nothing_happens() {
    let world = World::new();
    let (mine, planted) = (world.sign_in().await, world.sign_in().await);
    let name = world.cookie.name();
    for (first, second) in [(&mine, &planted), (&planted, &mine)] {
        let (first, second) = (first.refresh().as_str(), second.refresh().as_str());
        let header = format!("{name}={first}; {name}={second}");
        let answer =
            send_to(world.refresh_service(), request("POST", &[("cookie", &header)])).await;
        answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(answer.extensions.get(), Some(&RefreshRejection::Ambiguous));
    }
    for tokens in [mine, planted] {
        assert_eq!(world.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
    }
}

// One session under two paths is one session.
#[tokio::test]
async fn two_cookies_of_one_session_use_the_younger_token() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let next = world.refresh(tokens.refresh().as_str()).await;
    world.advance(60);
    let (old, new) = (tokens.refresh().as_str(), next.cookie_value().unwrap());
    let name = world.cookie.name();
    let header = format!("{name}={old}; {name}={new}");
    let answer = send_to(world.refresh_service(), request("POST", &[("cookie", &header)])).await;
    assert_eq!(answer.status, StatusCode::OK);
    let listed = world.sessions.list("alice", None).await.unwrap().sessions;
    assert_eq!(listed[0].generation(), 2, "rotated, not retried");
}

#[tokio::test]
async fn cross_site_requests_are_refused_before_the_cookie_is_looked_at() {
    let world = World::new();
    let tokens = world.sign_in().await;
    world.sessions.revocations().ready().await;
    let cookie = format!("{}={}", world.cookie.name(), tokens.refresh().as_str());
    let foreign: [&[(&str, &str)]; 7] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("origin", "https://evil.example"), ("host", "api.example")],
        &[("origin", "null"), ("host", "api.example")],
        &[("origin", "https://api.example.evil.example"), ("host", "api.example")],
        // Whoever is on the network can put a page there.
        &[("origin", "http://api.example"), ("host", "api.example")],
    ];
    let asked = world.store.asked();
    for headers in foreign {
        let post = || {
            let mut headers = headers.to_vec();
            headers.push(("cookie", &cookie));
            request("POST", &headers)
        };
        let (sessions, cookie) = (&world.sessions, || world.cookie.clone());
        for answer in [
            send_to(world.refresh_service(), post()).await,
            send_to(LogoutService::this_session(sessions, cookie()), post()).await,
            send_to(LogoutService::everywhere(sessions, cookie()), post()).await,
            send_to(LogoutService::others(sessions, cookie()), post()).await,
        ] {
            answer.assert_refused(StatusCode::FORBIDDEN, "cross_site_request");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.set_cookie(), None);
        }
    }
    assert_eq!(world.store.asked(), asked, "nothing was asked");
    assert_eq!(world.call(tokens.access().as_str()).await.status, StatusCode::OK);
    let row = &world.sessions.list("alice", None).await.unwrap().sessions[0];
    assert_eq!(row.generation(), 0, "nothing changed");
}

#[tokio::test]
async fn requests_of_ones_own_pages_and_of_listed_origins_are_accepted() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let cookie = format!("{}={}", world.cookie.name(), tokens.refresh().as_str());
    let origins = OriginPolicy::same_origin()
        .with_trusted_origin("https://app.example")
        .and_then(|origins| origins.with_trusted_origin("capacitor://localhost"))
        .unwrap();
    let service = world.refresh_service().with_origins(origins);
    let own: [&[(&str, &str)]; 8] = [
        &[],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://api.example"), ("host", "api.example")],
        &[("origin", "https://api.example"), ("host", "api.example:443")],
        &[("origin", "http://localhost:3000"), ("host", "localhost:3000")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://app.example")],
        &[("sec-fetch-site", "cross-site"), ("origin", "capacitor://localhost")],
    ];
    for headers in own {
        let mut headers = headers.to_vec();
        headers.push(("cookie", &cookie));
        let answer = send_to(service.clone(), request("POST", &headers)).await;
        assert_eq!(answer.status, StatusCode::OK, "{headers:?}");
    }
}

// Behind a proxy that rewrites `Host`.
#[tokio::test]
async fn a_public_origin_is_compared_instead_of_the_host() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let cookie = format!("{}={}", world.cookie.name(), tokens.refresh().as_str());
    let origins = OriginPolicy::same_origin().with_public_origin("https://shop.example").unwrap();
    let service = world.refresh_service().with_origins(origins);
    for (origin, status) in
        [("https://shop.example", StatusCode::OK), ("http://10.0.0.7:8080", StatusCode::FORBIDDEN)]
    {
        let headers = [("origin", origin), ("host", "10.0.0.7:8080"), ("cookie", &cookie)];
        let answer = send_to(service.clone(), request("POST", &headers)).await;
        assert_eq!(answer.status, status, "{origin}");
    }
}
