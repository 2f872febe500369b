//! Attributes of the cookie.

use http::StatusCode;
use tower_jwt_auth::endpoints::SameSite;
use tower_jwt_auth::{ConfigError, RefreshCookie};
use tower_jwt_auth_tests::{Harness, TestResponse};

/// Returns the attributes of a `Set-Cookie`, sorted.
fn attributes(response: &TestResponse) -> Vec<String> {
    let cookie = response.set_cookie().expect("the response should set the cookie");
    let mut attributes: Vec<_> = cookie.split("; ").skip(1).map(str::to_owned).collect();
    attributes.sort();
    attributes
}

async fn refresh_and_logout(harness: &Harness) -> [TestResponse; 2] {
    let tokens = harness.sign_in().await;
    let refreshed = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(refreshed.status, StatusCode::OK);
    let logged_out = harness.logout(refreshed.cookie_value().unwrap()).await;
    [refreshed, logged_out]
}

#[tokio::test]
async fn the_default_cookie_is_host_bound_http_only_secure_and_strict() {
    let harness = Harness::new();
    let [set, cleared] = refresh_and_logout(&harness).await;
    let left = 30 * 24 * 3600;
    for (response, max_age) in [(&set, left), (&cleared, 0)] {
        let expected =
            ["HttpOnly", &format!("Max-Age={max_age}"), "Path=/", "SameSite=Strict", "Secure"];
        assert_eq!(attributes(response), expected);
        assert!(response.set_cookie().unwrap().starts_with("__Host-refresh_token="));
        let value = response.headers.get("set-cookie").unwrap();
        assert!(value.is_sensitive(), "layers that log headers leave it out");
    }
}

#[tokio::test]
async fn a_configured_cookie_is_set_and_cleared_as_configured() {
    let mut harness = Harness::new();
    harness.cookie = RefreshCookie::secure("/auth")
        .unwrap()
        .with_same_site(SameSite::Lax)
        .unwrap()
        .with_domain("shop.example")
        .unwrap();
    let [set, cleared] = refresh_and_logout(&harness).await;
    for response in [&set, &cleared] {
        let mut expected = attributes(response);
        expected.retain(|attribute| !attribute.starts_with("Max-Age="));
        let configured =
            ["Domain=shop.example", "HttpOnly", "Path=/auth", "SameSite=Lax", "Secure"];
        assert_eq!(expected, configured);
        assert!(response.set_cookie().unwrap().starts_with("__Secure-refresh_token="));
    }
}

#[tokio::test]
async fn the_development_profile_alone_is_not_secure() {
    let mut harness = Harness::new();
    harness.cookie = RefreshCookie::development();
    let [set, _] = refresh_and_logout(&harness).await;
    assert_eq!(set.set_cookie().unwrap().split('=').next(), Some("refresh_token"));
    let expected =
        ["HttpOnly", &format!("Max-Age={}", 30 * 24 * 3600), "Path=/", "SameSite=Strict"];
    assert_eq!(attributes(&set), expected);
}

#[tokio::test]
async fn max_age_is_the_remaining_lifetime() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.refresh(tokens.refresh().as_str()).await;
    harness.advance(5);
    let replayed = harness.refresh(tokens.refresh().as_str()).await;
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
