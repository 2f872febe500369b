//! Logging out of more sessions than one call of the store ends.

use std::task::Poll;

use http::StatusCode;
use tower_jwt_auth::sessions::{RefreshRejection, SessionLimit};
use tower_jwt_auth::{LogoutService, Tokens};
use tower_jwt_auth_tests::harness::{assert_rejected, request, send_to};
use tower_jwt_auth_tests::util::until;
use tower_jwt_auth_tests::{Fault, Harness};

/// Starts more sessions than a batch ends, and returns the tokens of the first one.
async fn many(harness: &Harness) -> Tokens {
    let first = harness.sign_in().await;
    for _ in 0..300 {
        let _ = harness.sign_in().await;
    }
    first
}

async fn count(harness: &Harness) -> usize {
    let (mut count, mut after) = (0, None);
    loop {
        let page = harness.sessions.list("alice", after).await.unwrap();
        count += page.sessions.len();
        after = page.next;
        if after.is_none() {
            return count;
        }
    }
}

fn unlimited() -> Harness {
    Harness::without_sweeper()
        .with_sessions(|sessions| sessions.session_limit(SessionLimit::none()))
}

#[tokio::test]
async fn a_logout_everywhere_that_failed_halfway_can_be_repeated() {
    let harness = unlimited();
    let mine = many(&harness).await;
    // The store writes the first batch, and the response is lost.
    harness.store.fail("end", Fault::After);
    let failed = harness.logout_everywhere(mine.refresh().as_str()).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    harness.store.heal();
    let again = harness.logout_everywhere(mine.refresh().as_str()).await;
    assert_eq!((again.status, count(&harness).await), (StatusCode::NO_CONTENT, 0));
}

#[tokio::test]
async fn a_repeated_end_is_recorded_on_this_node_after_a_lost_response() {
    let harness = Harness::without_sweeper();
    harness.sessions.revocations().ready().await;
    let tokens = harness.sign_in().await;
    // The list does not receive entries from the log.
    harness.store.fail("read", Fault::Before);
    harness.store.fail("changed", Fault::Hang);
    harness.store.fail("end", Fault::After);
    assert!(harness.sessions.end_all("alice").await.is_err());
    harness.store.heal();
    assert_eq!(harness.sessions.end_all("alice").await.unwrap(), 0);
    let refused = harness.call(tokens.access().as_str()).await;
    refused.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn an_end_that_the_list_cannot_learn_of_is_not_acknowledged() {
    let harness = Harness::without_sweeper();
    harness.sessions.revocations().ready().await;
    let _ = harness.sign_in().await;
    harness.store.fail("end", Fault::After);
    assert!(harness.sessions.end_all("alice").await.is_err());
    harness.store.heal();
    harness.store.fail("read", Fault::Before);
    harness.store.fail("append", Fault::Before);
    assert!(harness.sessions.end_all("alice").await.is_err());
}

#[tokio::test]
async fn an_end_of_all_sessions_is_completed_after_its_caller_leaves() {
    let harness = unlimited();
    let _ = many(&harness).await;
    let mut ending = Box::pin(harness.sessions.end_all("alice"));
    let begun = std::future::poll_fn(|cx| Poll::Ready(ending.as_mut().poll(cx))).await;
    assert!(begun.is_pending());
    drop(ending);
    until("all sessions have ended", async || count(&harness).await == 0).await;
}

#[tokio::test]
async fn one_request_makes_a_bounded_number_of_store_calls() {
    let harness = unlimited();
    let mut header = String::new();
    for _ in 0..60 {
        let tokens = harness.sign_in().await;
        header.push_str(&format!("{}={}; ", harness.cookie.name(), tokens.refresh().as_str()));
    }
    let calls = harness.store.session_calls();
    let logout = LogoutService::this_session(&harness.sessions, harness.cookie.clone());
    let too_many = send_to(logout.clone(), request("POST", &[("cookie", &header)])).await;
    assert_rejected(&too_many, RefreshRejection::Ambiguous);
    assert_eq!(harness.store.session_calls(), calls);

    harness.sessions.end_all("alice").await.unwrap();
    let calls = harness.store.session_calls();
    let over = send_to(logout, request("POST", &[("cookie", &header)])).await;
    assert_eq!(over.status, StatusCode::NO_CONTENT, "there is no session left to end");
    assert_eq!(harness.store.session_calls(), calls, "the list knows that all sessions have ended");
}
