//! Requests that carry several refresh cookies.

use http::StatusCode;
use tower_jwt_auth::LogoutService;
use tower_jwt_auth::sessions::RefreshRejection;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::harness::{DAY, request, send_to};

use super::ended_sessions::{Over, dead_and_live};
use super::{cookies, forged, refresh};

#[tokio::test]
async fn cookies_with_a_bad_signature_are_skipped() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let good = tokens.refresh().as_str();
    let name = harness.cookie.name();
    let header = format!("{name}=planted; other=1; {name}={good}; {name}=\u{fe}\u{ff}");
    let response =
        send_to(harness.refresh_service(), request("POST", &[("cookie", &header)])).await;
    assert_eq!(response.status, StatusCode::OK);

    let first = format!("{name}=planted");
    let second = format!("{name}={good}");
    let split = [("cookie", first.as_str()), ("cookie", second.as_str())];
    let response = send_to(harness.refresh_service(), request("POST", &split)).await;
    assert_eq!(response.status, StatusCode::OK, "HTTP/2 may split the header");
}

#[tokio::test]
async fn cookies_of_two_sessions_are_refused_in_either_order_without_effect() {
    let harness = Harness::new();
    let (mine, planted) = (harness.sign_in().await, harness.sign_in().await);
    let name = harness.cookie.name();
    for (first, second) in [(&mine, &planted), (&planted, &mine)] {
        let (first, second) = (first.refresh().as_str(), second.refresh().as_str());
        let header = format!("{name}={first}; {name}={second}");
        let response =
            send_to(harness.refresh_service(), request("POST", &[("cookie", &header)])).await;
        response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(response.extensions.get(), Some(&RefreshRejection::Ambiguous));
    }
    for tokens in [mine, planted] {
        assert_eq!(harness.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
    }
}

// The same session under two paths counts as one session.
#[tokio::test]
async fn two_cookies_of_one_session_use_the_newer_token() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let next = harness.refresh(tokens.refresh().as_str()).await;
    harness.advance(60);
    let (old, new) = (tokens.refresh().as_str(), next.cookie_value().unwrap());
    let name = harness.cookie.name();
    let header = format!("{name}={old}; {name}={new}");
    let response =
        send_to(harness.refresh_service(), request("POST", &[("cookie", &header)])).await;
    assert_eq!(response.status, StatusCode::OK);
    let listed = harness.sessions.list("alice", None).await.unwrap().sessions;
    assert_eq!(listed[0].generation(), 2, "the session rotated without a retry");
}

// A session whose store lost its last rotations is still live, and a planted session must not replace it.
#[tokio::test]
async fn a_token_that_is_ahead_of_the_store_counts_as_one_of_a_live_session() {
    let (harness, ahead) = (Harness::without_sweeper(), Harness::without_sweeper());
    let planted = harness.sign_in().await;
    let mine = harness.sign_in().await;
    let row = harness.store.load(mine.refresh().session_id()).await.unwrap().unwrap().session;
    ahead.store.insert(&row, tower_jwt_auth::sessions::SessionLimit::none()).await.unwrap();
    let next = ahead.refresh(mine.refresh().as_str()).await;
    let response =
        refresh(&harness, &[next.cookie_value().unwrap(), planted.refresh().as_str()]).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(response.extensions.get(), Some(&RefreshRejection::Ambiguous));
}

#[tokio::test]
async fn known_ended_sessions_cost_no_store_call() {
    let harness = Harness::without_sweeper();
    harness.sessions.revocations().ready().await;
    let (past, live) = dead_and_live(&harness, Over::PastItsEnd).await;
    let over = harness.sign_in().await;
    harness.logout(over.refresh().as_str()).await;
    let calls = harness.store.session_calls();
    let one = refresh(&harness, &[live.refresh().as_str()]).await;
    assert_eq!(harness.store.session_calls(), calls + 1, "one session costs one write");
    harness.advance(60);
    let all = [&past, over.refresh().as_str(), one.cookie_value().unwrap()];
    assert_eq!(refresh(&harness, &all).await.status, StatusCode::OK);
    assert_eq!(
        harness.store.session_calls(),
        calls + 2,
        "a known ended session costs no store call"
    );
}

#[tokio::test]
async fn more_sessions_than_a_browser_can_have_are_refused_without_a_store_call() {
    let harness = Harness::without_sweeper();
    let mut tokens = Vec::new();
    for _ in 0..9 {
        tokens.push(harness.sign_in().await.refresh().as_str().to_owned());
    }
    harness.advance(31 * DAY);
    let live = harness.sign_in().await;
    tokens.push(live.refresh().as_str().to_owned());
    let mut tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let calls = harness.store.session_calls();
    let response = refresh(&harness, &tokens).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(response.extensions.get(), Some(&RefreshRejection::Ambiguous));
    assert_eq!(harness.store.session_calls(), calls);
    tokens.drain(..2);
    assert_eq!(
        refresh(&harness, &tokens).await.status,
        StatusCode::OK,
        "eight sessions are checked"
    );
}

// An attacker with only the signing secret can plant a token of the session with a later generation.
#[tokio::test]
async fn a_token_of_another_secret_does_not_hide_the_sessions_own() {
    let harness = Harness::without_sweeper();
    let tokens = harness.sign_in().await;
    let own = tokens.refresh().as_str();
    let planted = forged(own, 9);
    let response = refresh(&harness, &[&planted, own]).await;
    assert_eq!(response.status, StatusCode::OK);
    let events =
        tower_jwt_auth_tests::log_capture::lines_containing("the signing secret has leaked");
    let session = tokens.refresh().session_id().to_string();
    assert!(events.iter().any(|line| line.contains(&session) && line.contains("WARN")));
    let header = cookies(&harness, &[&planted, own]);
    let logout = LogoutService::this_session(&harness.sessions, harness.cookie.clone());
    let response = send_to(logout, request("POST", &[("cookie", &header)])).await;
    assert_eq!(response.status, StatusCode::NO_CONTENT);
    assert!(harness.sessions.list("alice", None).await.unwrap().sessions.is_empty());
}

#[tokio::test]
async fn a_repeated_cookie_at_a_sign_in_costs_one_store_call() {
    let harness = Harness::without_sweeper();
    let old = harness.sign_in().await;
    let mut who = Harness::alice();
    for _ in 0..200 {
        who = who.replacing_token(old.refresh().as_str());
    }
    let calls = harness.store.session_calls();
    let _tokens = harness.sign_in_as(who).await;
    assert_eq!(harness.store.session_calls(), calls + 2, "one session ends and one starts");
}

// The cost does not depend on the number of cookies.
#[tokio::test]
async fn a_repeated_cookie_costs_one_store_call() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let one = format!("{}={}; ", harness.cookie.name(), tokens.refresh().as_str());
    let request =
        tower_jwt_auth_tests::harness::request("POST", &[("cookie", one.repeat(200).as_str())]);
    let calls = harness.store.session_calls();
    let logout = LogoutService::this_session(&harness.sessions, harness.cookie.clone());
    assert_eq!(send_to(logout, request).await.status, StatusCode::NO_CONTENT);
    assert_eq!(harness.store.session_calls(), calls + 1);
}
