//! Hooks that hang, panic or return an invalid scope.

use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use tower_jwt_auth::RefreshHook;
use tower_jwt_auth::sessions::{HookError, RefreshContext, Renewal};
use tower_jwt_auth_tests::{Harness, Profile};

/// A hook that never returns.
struct Hangs;

#[async_trait]
impl RefreshHook<Profile> for Hangs {
    async fn on_refresh(
        &self,
        _: &RefreshContext<'_>,
        _: Profile,
    ) -> Result<Renewal<Profile>, HookError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_hangs_is_503_with_the_successor() {
    let harness = Harness::new().with_sessions(|s| s.refresh_hook(Hangs));
    let tokens = harness.sign_in().await;
    let response =
        tokio::time::timeout(Duration::from_secs(60), harness.refresh(tokens.refresh().as_str()));
    let response = response.await.expect("the request should be answered");
    response.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    assert!(response.set_cookie().is_some());
}

/// A hook that returns an invalid scope.
struct BadScope;

#[async_trait]
impl RefreshHook<Profile> for BadScope {
    async fn on_refresh(
        &self,
        refresh: &RefreshContext<'_>,
        claims: Profile,
    ) -> Result<Renewal<Profile>, HookError> {
        Ok(Renewal::of(refresh.session(), claims).with_scope("a  b"))
    }
}

// A retry would fail again, so the response has no `Retry-After`. The session does not end.
#[tokio::test]
async fn a_fault_of_the_service_is_500_and_the_session_continues() {
    let harness = Harness::new().with_sessions(|s| s.refresh_hook(BadScope));
    let tokens = harness.sign_in().await;
    let response = harness.refresh(tokens.refresh().as_str()).await;
    response.assert_refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    assert_eq!(response.header("retry-after"), None);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert!(response.set_cookie().is_some(), "the client gets the successor");
    assert_eq!(harness.sessions.list("alice", None).await.unwrap().sessions.len(), 1);
    assert_eq!(harness.call(tokens.access().as_str()).await.status, StatusCode::OK);
}

/// A hook that panics.
struct Panics;

#[async_trait]
impl RefreshHook<Profile> for Panics {
    async fn on_refresh(
        &self,
        _: &RefreshContext<'_>,
        _: Profile,
    ) -> Result<Renewal<Profile>, HookError> {
        panic!("a panic of the test's own")
    }
}

#[tokio::test]
async fn a_hook_that_panics_is_500_and_the_session_continues() {
    let harness = Harness::new().with_sessions(|s| s.refresh_hook(Panics));
    let tokens = harness.sign_in().await;
    let response = harness.refresh(tokens.refresh().as_str()).await;
    response.assert_refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    assert_eq!(harness.sessions.list("alice", None).await.unwrap().sessions.len(), 1);
}
