use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};

use crate::client::{Browser, get, login_request, send};
use crate::server::Server;

#[tokio::test]
async fn me_returns_the_contents_of_the_token() {
    let server = Server::start(&[]);
    let browser = Browser::sign_in(&server, "alice").await;
    let response = browser.call(Method::GET, "/api/me").await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("cache-control"), "no-store");
    let me = response.json();
    assert_eq!((&me["subject"], &me["name"]), (&"alice".into(), &"Alice Liddell".into()));
    assert_eq!(me["scope"], "");
    assert_eq!(me["session_id"].as_str().unwrap().len(), 22);
    let (auth_time, expires_at) = (me["auth_time"].as_i64(), me["expires_at"].as_i64());
    assert_eq!(expires_at.unwrap() - auth_time.unwrap(), 300);
}

#[tokio::test]
async fn the_routes_of_users_require_a_token() {
    let server = Server::start(&[]);
    for path in ["/api/me", "/api/admin", "/api/transfer", "/auth/sessions", "/auth/sessions/x"] {
        let response = get(&server, path).await;
        assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(response.header("www-authenticate"), r#"Bearer realm="api""#);
    }
}

#[tokio::test]
async fn the_admin_call_requires_the_scope() {
    let server = Server::start(&[]);
    let alice = Browser::sign_in(&server, "alice").await;
    let refused = alice.call(Method::GET, "/api/admin").await;
    refused.assert_error(403, "insufficient_scope");
    assert!(refused.header("www-authenticate").contains(r#"scope="admin""#));
    let admin = Browser::sign_in(&server, "admin").await;
    let response = admin.call(Method::GET, "/api/admin").await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.json()["message"], "Welcome, The Admin.");
}

#[tokio::test]
async fn a_transfer_right_after_the_login_is_accepted() {
    let server = Server::start(&[]);
    let alice = Browser::sign_in(&server, "alice").await;
    let response = alice.transfer().await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.json()["message"], "Sent 10 to bob.");
}

#[tokio::test]
async fn a_malformed_transfer_is_refused() {
    let server = Server::start(&[]);
    let alice = Browser::sign_in(&server, "alice").await;
    for body in ["", "{", r#"{"to":"bob"}"#, r#"{"to":"bob","amount":-1}"#] {
        let transfer = alice.with_access(Method::POST, "/api/transfer");
        let response = send(transfer.header(CONTENT_TYPE, "application/json").body(body)).await;
        response.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn a_transfer_with_an_old_login_is_refused_and_a_refresh_does_not_renew_the_login() {
    let server = Server::start(&[("LOGIN_MAX_AGE", "1")]);
    let mut alice = Browser::sign_in(&server, "alice").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for _ in 0..2 {
        let refused = alice.transfer().await;
        refused.assert_error(401, "insufficient_user_authentication");
        assert!(refused.header("www-authenticate").contains(r#"max_age="1""#));
        assert_eq!(alice.call(Method::GET, "/api/me").await.status, StatusCode::OK);
        let refreshed = alice.post("/auth/refresh").await;
        assert_eq!(refreshed.status, StatusCode::OK);
        alice.keep(&refreshed);
    }
}

#[tokio::test]
async fn the_lifetime_of_access_tokens_can_be_set() {
    let server = Server::start(&[("ACCESS_LIFETIME", "11")]);
    let login = login_request(&server, "alice", "wonderland");
    let response = send(login).await;
    assert_eq!(response.json()["expires_in"], 11);
}
