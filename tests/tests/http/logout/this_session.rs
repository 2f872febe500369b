//! Logging out of the session whose cookie the request carries.

use http::StatusCode;
use tower_jwt_auth::LogoutService;
use tower_jwt_auth::sessions::EndReason;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth_tests::harness::send_to;
use tower_jwt_auth_tests::{Fault, Harness};

use crate::revocation::assert_dead;

#[tokio::test]
async fn logout_ends_the_session_and_clears_the_cookie_it_set() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let set = harness.refresh(tokens.refresh().as_str()).await;
    let response = harness.logout(set.cookie_value().unwrap()).await;
    assert_eq!(response.status, StatusCode::NO_CONTENT);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let attributes = |cookie: &str| {
        let (name, rest) = cookie.split_once('=').unwrap();
        let (_, attributes) = rest.split_once("; ").unwrap();
        let kept: Vec<_> =
            attributes.split("; ").filter(|part| !part.starts_with("Max-Age")).collect();
        (name.to_owned(), kept.join("; "))
    };
    let cleared = response.set_cookie().unwrap();
    assert!(cleared.starts_with("__Host-refresh_token=;"), "{cleared}");
    assert!(cleared.contains("Max-Age=0"), "{cleared}");
    assert_eq!(attributes(cleared), attributes(set.set_cookie().unwrap()));

    assert_dead(&harness.call(tokens.access().as_str()).await);
    assert_dead(&harness.call(&set.access_token()).await);
    assert_dead(&harness.refresh(set.cookie_value().unwrap()).await);
    let ended = harness.store.load(tokens.refresh().session_id()).await.unwrap().unwrap().session;
    assert_eq!(ended.into_record().ended.unwrap().reason, EndReason::Logout);
}

#[tokio::test]
async fn logout_takes_a_refresh_token_of_any_generation_and_age() {
    for refreshes in [1, 5] {
        let harness = Harness::new();
        let tokens = harness.sign_in().await;
        let mut last = tokens.refresh().as_str().to_owned();
        for _ in 0..refreshes {
            last = harness.refresh(&last).await.cookie_value().unwrap().to_owned();
            harness.advance(10);
        }
        assert_eq!(harness.logout(tokens.refresh().as_str()).await.status, StatusCode::NO_CONTENT);
        assert_dead(&harness.refresh(&last).await);
    }
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.advance(100 * 24 * 3600);
    assert_eq!(harness.logout(tokens.refresh().as_str()).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logout_wins_against_a_tab_that_refreshes_at_the_same_moment() {
    for _ in 0..50 {
        let harness = Harness::new();
        let tokens = harness.sign_in().await;
        let token = tokens.refresh().as_str().to_owned();
        let refreshing = tokio::spawn({
            let (harness, token) = (harness.clone(), token.clone());
            async move { harness.refresh(&token).await }
        });
        assert_eq!(harness.logout(&token).await.status, StatusCode::NO_CONTENT);
        let refreshed = refreshing.await.unwrap();
        if refreshed.status == StatusCode::OK {
            assert_dead(&harness.call(&refreshed.access_token()).await);
            assert_dead(&harness.refresh(refreshed.cookie_value().unwrap()).await);
        }
        assert_dead(&harness.refresh(&token).await);
    }
}

#[tokio::test]
async fn logout_twice_or_without_a_valid_cookie_is_204() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    for _ in 0..2 {
        assert_eq!(harness.logout(tokens.refresh().as_str()).await.status, StatusCode::NO_CONTENT);
    }
    let logout = LogoutService::this_session(&harness.sessions, harness.cookie.clone());
    for cookie in ["other=1", "__Host-refresh_token=garbage"] {
        let request = tower_jwt_auth_tests::harness::request("POST", &[("cookie", cookie)]);
        let response = send_to(logout.clone(), request).await;
        assert_eq!(response.status, StatusCode::NO_CONTENT);
        assert!(response.set_cookie().unwrap().contains("Max-Age=0"));
    }
    let get = tower_jwt_auth_tests::harness::request("GET", &[]);
    let response = send_to(logout, get).await;
    response.assert_refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
    assert_eq!(response.header("allow"), Some("POST"));
}

// A tab that closes does not cancel the logout that it started.
#[tokio::test]
async fn a_client_that_leaves_does_not_cancel_its_logout() {
    use tower::Service;
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let mut logout = LogoutService::this_session(&harness.sessions, harness.cookie.clone());
    let response = logout.call(harness.with_cookie(tokens.refresh().as_str()));
    drop(response);
    harness.until_refused(tokens.access().as_str()).await;
}

// After an acknowledged logout, this node refuses the session, even if another node or a call whose response was lost
// has ended it.
#[tokio::test]
async fn a_second_logout_records_an_end_by_another_node() {
    let harness = Harness::new();
    let sibling = harness.another_node();
    let tokens = harness.sign_in().await;
    sibling.sessions.revocations().ready().await;
    // The sibling receives nothing from the log from now on.
    sibling.store.fail("read", Fault::Before);
    sibling.store.fail("changed", Fault::Hang);
    for _ in 0..2 {
        harness.logout(tokens.refresh().as_str()).await;
    }
    assert_eq!(sibling.call(tokens.access().as_str()).await.status, StatusCode::OK);
    let response = sibling.logout(tokens.refresh().as_str()).await;
    assert_eq!(response.status, StatusCode::NO_CONTENT);
    let response = sibling.call(tokens.access().as_str()).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

// Planted cookies do not hide the user's own cookie.
#[tokio::test]
async fn logout_ends_the_session_of_every_cookie_in_the_request() {
    let harness = Harness::new();
    let mut header = String::new();
    let mut all = Vec::new();
    for _ in 0..12 {
        let tokens = harness.sign_in().await;
        header += &format!("{}={}; ", harness.cookie.name(), tokens.refresh().as_str());
        all.push(tokens);
    }
    let request = tower_jwt_auth_tests::harness::request("POST", &[("cookie", &header)]);
    let logout = LogoutService::this_session(&harness.sessions, harness.cookie.clone());
    assert_eq!(send_to(logout, request).await.status, StatusCode::NO_CONTENT);
    for tokens in all {
        let response = harness.call(tokens.access().as_str()).await;
        assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    }
}
