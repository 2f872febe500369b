use reqwest::{Method, StatusCode};

use crate::client::{Browser, COOKIE_NAME, request, send};
use crate::server::Server;

#[tokio::test]
async fn a_refresh_gives_new_tokens_for_the_same_session() {
    let server = Server::start(&[]);
    let mut alice = Browser::sign_in(&server, "alice").await;
    let before = alice.call(Method::GET, "/api/me").await.json();
    let (old_access, old_cookie) = (alice.access.clone(), alice.cookie.clone());
    let refreshed = alice.post("/auth/refresh").await;
    assert_eq!(refreshed.status, StatusCode::OK);
    assert_eq!(refreshed.header("cache-control"), "no-store");
    alice.keep(&refreshed);
    assert!(alice.access != old_access && alice.cookie != old_cookie);
    let after = alice.call(Method::GET, "/api/me").await.json();
    for claim in ["subject", "name", "session_id", "auth_time"] {
        assert_eq!(before[claim], after[claim], "{claim}");
    }
}

#[tokio::test]
async fn a_refresh_token_that_is_two_generations_old_ends_the_session() {
    // Without a grace window every refresh rotates.
    let server = Server::start(&[("GRACE", "0")]);
    let mut alice = Browser::sign_in(&server, "alice").await;
    let stolen = alice.cookie.clone();
    for _ in 0..2 {
        let refreshed = alice.post("/auth/refresh").await;
        alice.keep(&refreshed);
    }
    let current = std::mem::replace(&mut alice.cookie, stolen);
    alice.post("/auth/refresh").await.assert_error(401, "invalid_token");
    alice.cookie = current;
    assert_eq!(alice.is_alive().await, (false, false));
}

#[tokio::test]
async fn grace_and_late_retries_can_be_set() {
    for (late_retries, status) in [("0", 401), ("1", 200)] {
        let server = Server::start(&[("GRACE", "1"), ("LATE_RETRIES", late_retries)]);
        let alice = Browser::sign_in(&server, "alice").await;
        assert_eq!(alice.post("/auth/refresh").await.status, StatusCode::OK);
        assert_eq!(alice.post("/auth/refresh").await.status, StatusCode::OK, "a replay");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(alice.post("/auth/refresh").await.status, status, "LATE_RETRIES={late_retries}");
    }
}

#[tokio::test]
async fn a_logout_revokes_the_access_and_the_refresh_token_at_once() {
    let server = Server::start(&[]);
    let alice = Browser::sign_in(&server, "alice").await;
    let elsewhere = Browser::sign_in(&server, "alice").await;
    assert_eq!(alice.call(Method::GET, "/api/me").await.status, StatusCode::OK);
    let response = alice.post("/auth/logout").await;
    assert_eq!(response.status, StatusCode::NO_CONTENT);
    assert_eq!(response.cookie(), Some(""));
    assert!(response.header("set-cookie").contains("Max-Age=0"));
    alice.call(Method::GET, "/api/me").await.assert_error(401, "invalid_token");
    alice.post("/auth/refresh").await.assert_error(401, "invalid_token");
    assert_eq!(elsewhere.is_alive().await, (true, true));
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_sessions_of_the_user_and_of_no_other() {
    let server = Server::start(&[]);
    let (here, there) =
        (Browser::sign_in(&server, "alice").await, Browser::sign_in(&server, "alice").await);
    let bob = Browser::sign_in(&server, "bob").await;
    assert_eq!(here.post("/auth/logout-all").await.status, StatusCode::NO_CONTENT);
    assert_eq!(here.is_alive().await, (false, false));
    assert_eq!(there.is_alive().await, (false, false));
    assert_eq!(bob.is_alive().await, (true, true));
    let again = Browser::sign_in(&server, "alice").await;
    assert_eq!(again.is_alive().await, (true, true));
}

#[tokio::test]
async fn the_sessions_of_a_user_are_listed_and_ended_one_by_one() {
    let server = Server::start(&[]);
    let (here, there) =
        (Browser::sign_in(&server, "alice").await, Browser::sign_in(&server, "alice").await);
    let bob = Browser::sign_in(&server, "bob").await;
    let sessions = here.sessions().await;
    assert_eq!(sessions.len(), 2);
    let (current, other): (Vec<_>, Vec<_>) =
        sessions.iter().partition(|session| session["current"] == true);
    let me = here.call(Method::GET, "/api/me").await.json();
    assert_eq!(current[0]["id"], me["session_id"]);
    assert!(other[0]["created_at"].as_i64() <= other[0]["last_seen"].as_i64());

    let path = format!("/auth/sessions/{}", other[0]["id"].as_str().unwrap());
    bob.call(Method::DELETE, &path).await.assert_error(404, "not_found");
    assert_eq!(there.call(Method::GET, "/api/me").await.status, StatusCode::OK);
    assert_eq!(here.call(Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(there.is_alive().await, (false, false));
    assert_eq!(here.sessions().await.len(), 1);
    here.call(Method::DELETE, &path).await.assert_error(404, "not_found");
}

#[tokio::test]
async fn an_id_of_no_session_is_not_found() {
    let server = Server::start(&[]);
    let alice = Browser::sign_in(&server, "alice").await;
    for id in ["x", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAB", "%ff", "a%2fb"] {
        let response = alice.call(Method::DELETE, &format!("/auth/sessions/{id}")).await;
        response.assert_error(404, "not_found");
    }
}

#[tokio::test]
async fn a_request_from_another_site_changes_nothing() {
    let server = Server::start(&[]);
    let alice = Browser::sign_in(&server, "alice").await;
    let cookie = format!("{}={}", COOKIE_NAME, alice.cookie);
    for path in ["/auth/refresh", "/auth/logout", "/auth/logout-all"] {
        let post = request(&server, Method::POST, path).header("cookie", &cookie);
        let response = send(post.header("sec-fetch-site", "cross-site")).await;
        response.assert_error(403, "cross_site_request");
    }
    assert_eq!(alice.is_alive().await, (true, true));
}
