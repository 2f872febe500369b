//! Cookies that the application has moved to another path or domain.

use http::{HeaderMap, HeaderValue, StatusCode};
use tower_jwt_auth::endpoints::SameSite;
use tower_jwt_auth::sessions::{HookError, RefreshContext, Renewal};
use tower_jwt_auth::{ConfigError, LogoutService, RefreshCookie, RefreshHook};
use tower_jwt_auth_tests::harness::send_to;
use tower_jwt_auth_tests::{Harness, Profile};

/// Creates a harness whose cookie has moved twice.
fn moved() -> Harness {
    let mut harness = Harness::new();
    harness.cookie = RefreshCookie::secure("/")
        .unwrap()
        .with_same_site(SameSite::Lax)
        .unwrap()
        .with_domain("shop.example")
        .unwrap()
        .with_former_scope("/auth", None)
        .unwrap()
        .with_former_scope("/auth", Some("login.shop.example"))
        .unwrap();
    harness
}

/// Returns the values and attributes of all `Set-Cookie` fields, without a `Max-Age` that is not zero.
fn all_set(headers: &HeaderMap) -> Vec<(String, String)> {
    let read = |value: &HeaderValue| {
        assert!(value.is_sensitive(), "layers that log headers leave it out");
        let (pair, attributes) = value.to_str().unwrap().split_once("; ").unwrap();
        let value = pair
            .strip_prefix("__Secure-refresh_token=")
            .expect("the cookie should have the configured name");
        let mut attributes: Vec<_> = attributes
            .split("; ")
            .filter(|part| *part == "Max-Age=0" || !part.starts_with("Max-Age="))
            .collect();
        attributes.sort_unstable();
        (value.to_owned(), attributes.join("; "))
    };
    headers.get_all("set-cookie").iter().map(read).collect()
}

/// Asserts that the cookie is set to this value in its current scope and cleared in its former ones.
#[track_caller]
fn assert_moved(headers: &HeaderMap, value: &str) {
    let max_age = if value.is_empty() { "Max-Age=0; " } else { "" };
    let now = format!("Domain=shop.example; HttpOnly; {max_age}Path=/; SameSite=Lax; Secure");
    let cleared = ["", "Domain=login.shop.example; "].map(|domain| {
        (String::new(), format!("{domain}HttpOnly; Max-Age=0; Path=/auth; SameSite=Lax; Secure"))
    });
    let [host_only, domain] = cleared;
    assert_eq!(all_set(headers), [(value.to_owned(), now), host_only, domain]);
}

#[tokio::test]
async fn cookies_in_former_scopes_are_cleared_at_login_refresh_and_logout() {
    let harness = moved();
    let tokens = harness.sign_in().await;
    let first = tokens.refresh().as_str().to_owned();
    let other = harness.sign_in().await.refresh().as_str().to_owned();
    let login = tokens.into_token_response(&harness.cookie);
    assert_moved(login.headers(), &first);

    let refreshed = harness.refresh(&first).await;
    assert_eq!(refreshed.status, StatusCode::OK);
    let next = all_set(&refreshed.headers)[0].0.clone();
    assert_ne!(next, first);
    assert_moved(&refreshed.headers, &next);

    let logged_out = harness.logout(&next).await;
    assert_eq!(logged_out.status, StatusCode::NO_CONTENT);
    assert_moved(&logged_out.headers, "");
    let everywhere = harness.logout_everywhere(&other).await;
    assert_eq!(everywhere.status, StatusCode::NO_CONTENT);
    assert_moved(&everywhere.headers, "");
}

#[tokio::test]
async fn a_successor_sent_with_a_503_also_clears_former_cookies() {
    struct Down;
    #[tower_jwt_auth::async_trait]
    impl RefreshHook<Profile> for Down {
        async fn on_refresh(
            &self,
            _: &RefreshContext<'_>,
            _: Profile,
        ) -> Result<Renewal<Profile>, HookError> {
            Err(HookError::unavailable("the directory is down"))
        }
    }
    let harness = moved().with_sessions(|s| s.refresh_hook(Down));
    let response = harness.refresh(harness.sign_in().await.refresh().as_str()).await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    let successor = all_set(&response.headers)[0].0.clone();
    assert_moved(&response.headers, &successor);
}

// The late 401 of an old session must not clear a cookie of a login under another path.
#[tokio::test]
async fn responses_that_keep_the_cookie_also_keep_former_ones() {
    let harness = moved();
    let tokens = harness.sign_in().await;
    let others = LogoutService::others(&harness.sessions, harness.cookie.clone());
    let response = send_to(others, harness.with_cookie(tokens.refresh().as_str())).await;
    assert_eq!((response.status, response.set_cookie()), (StatusCode::NO_CONTENT, None));
    harness.logout(tokens.refresh().as_str()).await;
    for response in [
        harness.refresh(tokens.refresh().as_str()).await,
        harness.logout_everywhere(tokens.refresh().as_str()).await,
    ] {
        assert_eq!((response.status, response.set_cookie()), (StatusCode::UNAUTHORIZED, None));
    }
}

#[test]
fn invalid_former_scopes_are_refused_at_build_time() {
    let secure = || RefreshCookie::secure("/").unwrap();
    let with_domain = || secure().with_domain("shop.example").unwrap();
    let bad = [
        // In its current scope, the cookie would be cleared as soon as it is set.
        secure().with_former_scope("/", None),
        with_domain().with_former_scope("/", Some("shop.example")),
        with_domain().with_former_scope("/", Some(".Shop.example")),
        secure()
            .with_former_scope("/", Some("shop.example"))
            .and_then(|cookie| cookie.with_domain("shop.example")),
        // A cookie of this name cannot exist in this scope.
        RefreshCookie::host().with_former_scope("/auth", None),
        RefreshCookie::host().with_former_scope("/", Some("shop.example")),
        secure().with_former_scope("/auth", None).and_then(|cookie| cookie.with_name("__Host-x")),
        // The scope is listed twice.
        secure()
            .with_former_scope("/auth", None)
            .and_then(|cookie| cookie.with_former_scope("/auth", None)),
        secure().with_former_scope("", None),
        secure().with_former_scope("auth", None),
        secure().with_former_scope("/a;b", None),
        secure().with_former_scope("/a\r\n", None),
        secure().with_former_scope("/auth", Some("")),
        secure().with_former_scope("/auth", Some("a;b")),
    ];
    for (n, result) in bad.into_iter().enumerate() {
        assert!(matches!(result, Err(ConfigError::Cookie { .. })), "{n}: {result:?}");
    }
    assert!(secure().with_former_scope("/", Some("shop.example")).is_ok());
    assert!(with_domain().with_former_scope("/", None).is_ok());
    assert!(with_domain().with_former_scope("/", Some("login.shop.example")).is_ok());
    assert!(RefreshCookie::development().with_former_scope("/auth", None).is_ok());
}
