use reqwest::header::{CONTENT_TYPE, COOKIE, USER_AGENT};
use reqwest::{Method, StatusCode};

use crate::client::{Browser, COOKIE_NAME, login_request, request, send};
use crate::server::Server;

#[tokio::test]
async fn the_right_password_returns_an_access_token_and_a_refresh_cookie() {
    let server = Server::start(&[]);
    for (username, password) in [("alice", "wonderland"), ("bob", "builder"), ("admin", "castle")] {
        let response = send(login_request(&server, username, password)).await;
        assert_eq!(response.status, StatusCode::OK, "{response:?}");
        assert_eq!(response.json()["token_type"], "Bearer");
        assert_eq!(response.json()["expires_in"], 300);
        assert_eq!(response.header("cache-control"), "no-store");
        let cookie = response.header("set-cookie");
        for attribute in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age="] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_get_the_same_response() {
    let server = Server::start(&[]);
    let wrong = send(login_request(&server, "alice", "builder")).await;
    wrong.assert_error(401, "invalid_credentials");
    assert_eq!(wrong.header("www-authenticate"), r#"Bearer realm="api""#);
    assert!(wrong.cookie().is_none());
    for (username, password) in [("mallory", "wonderland"), ("", ""), ("Alice", "wonderland")] {
        let unknown = send(login_request(&server, username, password)).await;
        assert_eq!((unknown.status, &unknown.text), (wrong.status, &wrong.text));
    }
}

#[tokio::test]
async fn a_malformed_body_is_refused_and_not_repeated() {
    let server = Server::start(&[]);
    for body in
        ["", "{", "[]", r#"{"username":"alice"}"#, r#"{"username":"alice","password":4711}"#]
    {
        let login = request(&server, Method::POST, "/auth/login");
        let response = send(login.header(CONTENT_TYPE, "application/json").body(body)).await;
        response.assert_error(400, "invalid_request");
        assert!(!response.text.contains("4711"));
    }
    let form = request(&server, Method::POST, "/auth/login")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("username=alice&password=wonderland");
    send(form).await.assert_error(415, "invalid_request");
    let large = login_request(&server, "alice", &"x".repeat(20_000));
    send(large).await.assert_error(413, "invalid_request");
}

#[tokio::test]
async fn a_login_from_another_site_is_refused_whatever_its_body_is() {
    let server = Server::start(&[]);
    let cross = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ];
    for (name, value) in cross {
        let right = login_request(&server, "alice", "wonderland").header(name, value);
        let response = send(right).await;
        response.assert_error(403, "cross_site_request");
        assert!(response.cookie().is_none());
        let junk = request(&server, Method::POST, "/auth/login").header(name, value).body("{");
        send(junk).await.assert_error(403, "cross_site_request");
    }
    let own = login_request(&server, "alice", "wonderland");
    let own = own.header("origin", server.address()).header("sec-fetch-site", "same-origin");
    assert_eq!(send(own).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_new_sign_in_ends_each_session_whose_cookie_it_carries() {
    let server = Server::start(&[]);
    let (first, second) =
        (Browser::sign_in(&server, "alice").await, Browser::sign_in(&server, "bob").await);
    let elsewhere = Browser::sign_in(&server, "alice").await;
    let cookies = format!(
        "{COOKIE_NAME}={}; {COOKIE_NAME}=junk; {COOKIE_NAME}={}",
        first.cookie, second.cookie
    );

    let wrong = login_request(&server, "alice", "wrong").header(COOKIE, &cookies);
    send(wrong).await.assert_error(401, "invalid_credentials");
    assert_eq!(first.call(Method::GET, "/api/me").await.status, StatusCode::OK);

    let again = login_request(&server, "alice", "wonderland").header(COOKIE, &cookies);
    assert_eq!(send(again).await.status, StatusCode::OK);
    assert_eq!(first.is_alive().await, (false, false));
    assert_eq!(second.is_alive().await, (false, false));
    assert_eq!(elsewhere.is_alive().await, (true, true));
}

#[tokio::test]
async fn a_session_has_the_client_that_signed_in() {
    let server = Server::start(&[]);
    let login = login_request(&server, "alice", "wonderland").header(USER_AGENT, "Rabbit/1.0");
    let mut browser = Browser::sign_in(&server, "bob").await;
    browser.keep(&send(login).await);
    let sessions = browser.sessions().await;
    assert_eq!(sessions[0]["user_agent"], "Rabbit/1.0");
    assert_eq!(sessions[0]["address"], "127.0.0.1");
}
