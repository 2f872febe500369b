//! A refresh during which the session ends or the client leaves.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use tokio::sync::Notify;
use tower_jwt_auth::sessions::{HookError, RefreshContext, RefreshRejection, Renewal};
use tower_jwt_auth::store::Revocation;
use tower_jwt_auth::{RefreshHook, SignIn};
use tower_jwt_auth_tests::{Harness, ISSUER, Profile};

/// A hook that blocks until it is released.
#[derive(Clone, Default)]
struct Gate {
    reached: Arc<Notify>,
    open: Arc<Notify>,
}

#[async_trait]
impl RefreshHook<Profile> for Gate {
    async fn on_refresh(
        &self,
        refresh: &RefreshContext<'_>,
        claims: Profile,
    ) -> Result<Renewal<Profile>, HookError> {
        self.reached.notify_one();
        self.open.notified().await;
        match refresh.session().subject() {
            "mallory" => Err(HookError::Refuse),
            _ => Ok(Renewal::of(refresh.session(), claims)),
        }
    }
}

// A client that leaves must not keep a session that the application refuses.
#[tokio::test]
async fn the_hook_runs_although_the_client_leaves() {
    use tower::Service;
    let gate = Gate::default();
    let hook = gate.clone();
    let harness = Harness::new().with_sessions(|s| s.refresh_hook(hook));
    let mallory = SignIn::new("mallory").with_claims(Profile { name: "Mallory".into() });
    let tokens = harness.sign_in_as(mallory).await;
    let mut service = harness.refresh_service();
    let response = service.call(harness.with_cookie(tokens.refresh().as_str()));
    gate.reached.notified().await;
    drop(response);
    gate.open.notify_one();
    harness.until_refused(tokens.access().as_str()).await;
}

// The response of an ended session must not replace the cookie of a new login.
#[tokio::test]
async fn a_refresh_that_a_logout_overtakes_returns_no_tokens() {
    let gate = Gate::default();
    let hook = gate.clone();
    let harness = Harness::new().with_sessions(|s| s.refresh_hook(hook));
    let tokens = harness.sign_in().await;
    let refreshing = tokio::spawn({
        let (harness, token) = (harness.clone(), tokens.refresh().as_str().to_owned());
        async move { harness.refresh(&token).await }
    });
    gate.reached.notified().await;
    assert_eq!(harness.logout(tokens.refresh().as_str()).await.status, StatusCode::NO_CONTENT);
    gate.open.notify_one();
    let response = refreshing.await.unwrap();
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(response.extensions.get(), Some(&RefreshRejection::Revoked));
    assert_eq!(response.set_cookie(), None);
}

// A refresh token that was revoked by its id is not returned to its predecessor again.
#[tokio::test]
async fn a_retry_does_not_return_a_revoked_successor() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let successor = harness.sessions.refresh(tokens.refresh().as_str()).await.unwrap();
    let revocation = Revocation::Token {
        issuer: ISSUER.into(),
        jti: successor.refresh().id().to_string(),
        until: harness.now() + successor.refresh().valid_for(),
    };
    harness.sessions.revoke(revocation).await.unwrap();
    // These are two replays and a late retry. A second late retry would be reuse.
    for pause in [1, 5, 3600] {
        harness.advance(pause);
        for token in [tokens.refresh().as_str(), successor.refresh().as_str()] {
            let response = harness.refresh(token).await;
            response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
            assert_eq!(response.extensions.get(), Some(&RefreshRejection::Revoked));
        }
    }
}
