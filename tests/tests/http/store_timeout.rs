//! A store that hangs.

use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::sessions::SessionError;
use tower_jwt_auth_tests::{Fault, Harness};

// Time is paused, and advances while all tasks wait.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_503_like_one_that_fails() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.sessions.revocations().ready().await;
    harness.store.fail("*", Fault::Hang);
    harness.advance(31);
    let patience = Duration::from_secs(60);
    let (access, refresh) = (tokens.access().as_str(), tokens.refresh().as_str());
    for response in [
        tokio::time::timeout(patience, harness.call(access)).await,
        tokio::time::timeout(patience, harness.refresh(refresh)).await,
        tokio::time::timeout(patience, harness.logout(refresh)).await,
        tokio::time::timeout(patience, harness.logout_everywhere(refresh)).await,
    ] {
        let response = response.expect("the request should be answered");
        response.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
        assert_eq!(response.set_cookie(), None);
    }
    let started = tokio::time::timeout(patience, harness.sessions.start(Harness::alice())).await;
    assert!(matches!(started, Ok(Err(SessionError::Store(_)))));
    harness.store.heal();
    assert_eq!(harness.refresh(refresh).await.status, StatusCode::OK);
}
