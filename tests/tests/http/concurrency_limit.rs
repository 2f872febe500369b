//! The limit of concurrent requests of an endpoint.

use http::StatusCode;
use tower_jwt_auth::LogoutService;
use tower_jwt_auth_tests::harness::send_to;
use tower_jwt_auth_tests::{Fault, Harness};

// Repeated refreshes of locked rows must not prevent logouts. One token holds at most 256 permits.
#[tokio::test(start_paused = true)]
async fn a_logout_succeeds_while_refreshes_hold_all_their_permits() {
    use tower::Service;
    let harness = Harness::new();
    harness.sessions.revocations().ready().await;
    let mut greedy = Vec::new();
    for _ in 0..4096 / 256 {
        greedy.push(harness.sign_in().await);
    }
    let mine = harness.sign_in().await;
    let other = harness.sign_in().await;
    harness.store.fail("advance", Fault::Hang);
    let mut refresh = harness.refresh_service();
    let permits = greedy.iter().flat_map(|greedy| std::iter::repeat_n(greedy, 256));
    let taken: Vec<_> = permits
        .map(|greedy| refresh.call(harness.with_cookie(greedy.refresh().as_str())))
        .collect();
    let begun = tokio::time::Instant::now();
    let surplus = send_to(refresh, harness.with_cookie(mine.refresh().as_str())).await;
    surplus.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");

    let response = harness.logout(mine.refresh().as_str()).await;
    assert_eq!(response.status, StatusCode::NO_CONTENT);
    let response = harness.logout_everywhere(other.refresh().as_str()).await;
    assert_eq!(response.status, StatusCode::NO_CONTENT);
    assert!(harness.sessions.list("alice", None).await.unwrap().sessions.is_empty());
    assert_eq!(tokio::time::Instant::now(), begun, "no request waited for the store");
    for response in taken {
        assert_eq!(response.await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}

// Logouts are also limited. A logout without a session needs no permit.
#[tokio::test(start_paused = true)]
async fn a_logout_without_a_session_is_204_while_logouts_hold_all_their_permits() {
    use tower::Service;
    let harness = Harness::new();
    harness.sessions.revocations().ready().await;
    let tokens = harness.sign_in().await;
    harness.store.fail("end", Fault::Hang);
    let mut logout = LogoutService::this_session(&harness.sessions, harness.cookie.clone());
    let taken: Vec<_> =
        (0..4096).map(|_| logout.call(harness.with_cookie(tokens.refresh().as_str()))).collect();
    let begun = tokio::time::Instant::now();
    // Clones of the service share the limit.
    let surplus = send_to(logout.clone(), harness.with_cookie(tokens.refresh().as_str())).await;
    surplus.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    let garbage = send_to(logout, harness.with_cookie("garbage")).await;
    assert_eq!(garbage.status, StatusCode::NO_CONTENT);
    assert_eq!(harness.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
    assert_eq!(tokio::time::Instant::now(), begun, "no request waited for the store");
    drop(taken);
}
