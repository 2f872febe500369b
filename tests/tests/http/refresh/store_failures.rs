//! A store that fails during a refresh.

use http::StatusCode;
use tower_jwt_auth_tests::{Fault, Harness};

use super::generation;

#[tokio::test]
async fn an_unavailable_store_is_503_and_the_cookie_stays() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.store.fail("*", Fault::Before);
    let response = harness.refresh(tokens.refresh().as_str()).await;
    response.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    assert_eq!(response.header("retry-after"), Some("1"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.set_cookie(), None);
    harness.store.heal();
    assert_eq!(harness.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_store_error_at_any_step_leaves_the_session_usable() {
    for method in ["advance", "load", "late_retry"] {
        for fault in [Fault::Before, Fault::After] {
            let harness = Harness::new();
            let tokens = harness.sign_in().await;
            // After a rotation, a lost response and the end of the window, a refresh takes all three steps.
            harness.refresh(tokens.refresh().as_str()).await;
            harness.advance(11);
            harness.store.fail(method, fault);
            let failed = harness.refresh(tokens.refresh().as_str()).await;
            assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE, "{method} {fault:?}");
            harness.store.heal();
            // The client retries within the window. A written late retry counts.
            harness.advance(9);
            let next = harness.refresh(tokens.refresh().as_str()).await;
            assert_eq!(next.status, StatusCode::OK, "{method} {fault:?}");
            assert_eq!(generation(&next), 1);
        }
    }
}

// The store has written the rotation, and its response is lost.
#[tokio::test]
async fn a_rotation_whose_response_was_lost_can_be_retried() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.store.fail("advance", Fault::After);
    let failed = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    harness.store.heal();
    let next = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(generation(&next), 1, "the retry gets the same successor");
}
