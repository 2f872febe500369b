//! Concurrent requests with the same refresh token share one refresh.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use tokio::sync::watch;
use tokio::task::{JoinSet, yield_now};
use tower_jwt_auth::sessions::{HookError, RefreshContext, RefreshRejection, Renewal};
use tower_jwt_auth::{RefreshHook, RotationPolicy, SignIn};
use tower_jwt_auth_tests::harness::{request, send_to};
use tower_jwt_auth_tests::{Harness, Profile, TestResponse};

/// A hook that blocks refreshes of alice until it is opened, and counts them.
#[derive(Clone)]
struct Gate {
    open: Arc<watch::Sender<bool>>,
    calls: Arc<AtomicUsize>,
}

#[async_trait]
impl RefreshHook<Profile> for Gate {
    async fn on_refresh(
        &self,
        refresh: &RefreshContext<'_>,
        claims: Profile,
    ) -> Result<Renewal<Profile>, HookError> {
        if refresh.session().subject() == "alice" {
            self.calls.fetch_add(1, Ordering::SeqCst);
            self.open.subscribe().wait_for(|open| *open).await.unwrap();
        }
        match claims.name.as_str() {
            "Mallory" => Err(HookError::Refuse),
            _ => Ok(Renewal::of(refresh.session(), claims)),
        }
    }
}

impl Gate {
    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn open(&self) {
        self.open.send_replace(true);
    }
}

fn gated() -> (Harness, Gate) {
    let gate = Gate { open: Arc::new(watch::Sender::new(false)), calls: Arc::default() };
    (Harness::new().with_sessions(|sessions| sessions.refresh_hook(gate.clone())), gate)
}

/// Sends this token from a client with this user agent.
async fn send_as(sent: &mut JoinSet<TestResponse>, harness: &Harness, token: &str, agent: &str) {
    let (harness, agent) = (harness.clone(), agent.to_owned());
    let cookie = format!("{}={token}", harness.cookie.name());
    sent.spawn(async move {
        let headers = [("cookie", &*cookie), ("user-agent", &*agent)];
        send_to(harness.refresh_service(), request("POST", &headers)).await
    });
    for _ in 0..100 {
        yield_now().await;
    }
}

fn statuses(responses: &[TestResponse]) -> Vec<StatusCode> {
    let mut statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
    statuses.sort_unstable();
    statuses
}

/// Sends this token `times` times, and returns when all requests wait or have been answered. The tests run on one
/// thread.
async fn send(harness: &Harness, token: &str, times: usize) -> JoinSet<TestResponse> {
    let mut sent = JoinSet::new();
    for _ in 0..times {
        let (harness, token) = (harness.clone(), token.to_owned());
        sent.spawn(async move { harness.refresh(&token).await });
    }
    for _ in 0..100 {
        yield_now().await;
    }
    sent
}

#[tokio::test]
async fn the_store_and_the_hook_are_called_once_for_all_requests() {
    let (harness, gate) = gated();
    let tokens = harness.sign_in().await;
    let before = harness.store.session_calls();
    let sent = send(&harness, tokens.refresh().as_str(), 50).await;
    assert_eq!((harness.store.session_calls() - before, gate.calls()), (1, 1));
    gate.open();
    let responses = sent.join_all().await;
    let successor = responses[0].cookie_value().unwrap().to_owned();
    for response in &responses {
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.cookie_value(), Some(&*successor));
        assert_eq!(harness.call(&response.access_token()).await.status, StatusCode::OK);
    }
    assert_eq!((harness.store.session_calls() - before, gate.calls()), (1, 1));

    // A later request starts a new refresh, because the session may have ended in the meantime.
    assert_eq!(harness.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
    assert_eq!(gate.calls(), 2);
    harness.logout(&successor).await;
    let refused = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(refused.extensions.get(), Some(&RefreshRejection::Revoked));
}

#[tokio::test]
async fn a_refusal_answers_all_requests() {
    let (harness, gate) = gated();
    let who = SignIn::new("alice").with_claims(Profile { name: "Mallory".into() });
    let tokens = harness.sign_in_as(who).await;
    let sent = send(&harness, tokens.refresh().as_str(), 5).await;
    gate.open();
    for response in sent.join_all().await {
        response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(response.extensions.get(), Some(&RefreshRejection::ByApplication));
    }
    assert_eq!(gate.calls(), 1);
}

#[tokio::test]
async fn when_the_working_client_leaves_another_one_continues() {
    let (harness, gate) = gated();
    let tokens = harness.sign_in().await;
    let token = tokens.refresh().as_str();
    let mut first = Box::pin(harness.sessions.refresh(token));
    let mut second = Box::pin(harness.sessions.refresh(token));
    for future in [&mut first, &mut second] {
        let short = tokio::time::timeout(Duration::from_millis(1), future).await;
        assert!(short.is_err(), "both requests wait");
    }
    assert_eq!(gate.calls(), 1);
    drop(first);
    gate.open();
    let answered = second.await.unwrap();
    assert_eq!(answered.refresh().generation(), 1);
    assert_eq!(gate.calls(), 2, "the other request makes its own refresh");
}

#[tokio::test]
async fn tokens_of_two_generations_do_not_wait_for_each_other() {
    let (harness, gate) = gated();
    let tokens = harness.sign_in().await;
    gate.open();
    let next = harness.refresh(tokens.refresh().as_str()).await;
    gate.open.send_replace(false);
    let calls = gate.calls();
    let old = send(&harness, tokens.refresh().as_str(), 2).await;
    let new = send(&harness, next.cookie_value().unwrap(), 2).await;
    assert_eq!(gate.calls() - calls, 2, "one call for each token");
    gate.open();
    for response in old.join_all().await.into_iter().chain(new.join_all().await) {
        assert_eq!(response.cookie_value(), next.cookie_value());
    }
}

#[tokio::test]
async fn one_token_holds_a_bounded_number_of_permits() {
    let (harness, gate) = gated();
    let tokens = harness.sign_in().await;
    let mut sent = send(&harness, tokens.refresh().as_str(), 300).await;
    for _ in 0..300 - 256 {
        let surplus = sent.join_next().await.unwrap().unwrap();
        surplus.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
        assert_eq!(surplus.set_cookie(), None);
    }
    let bob = SignIn::new("bob").with_claims(Profile { name: "Bob".into() });
    let bob = harness.sign_in_as(bob).await;
    assert_eq!(harness.refresh(bob.refresh().as_str()).await.status, StatusCode::OK);
    gate.open();
    let responses = sent.join_all().await;
    assert_eq!(responses.len(), 256);
    assert!(responses.iter().all(|response| response.status == StatusCode::OK));
}

#[tokio::test]
async fn a_hook_sees_every_client_that_sends_the_token() {
    let (harness, gate) = gated();
    let tokens = harness.sign_in().await;
    let mut sent = JoinSet::new();
    for agent in ["owner", "thief", "owner"] {
        send_as(&mut sent, &harness, tokens.refresh().as_str(), agent).await;
    }
    assert_eq!(gate.calls(), 2, "one call for each client");
    gate.open();
    assert_eq!(statuses(&sent.join_all().await), [StatusCode::OK; 3]);
}

#[tokio::test]
async fn without_a_window_no_request_waits_for_another() {
    let (harness, gate) = gated();
    let policy = RotationPolicy::default().with_grace(Duration::ZERO);
    let harness = harness.with_sessions(|sessions| sessions.rotation(policy));
    let tokens = harness.sign_in().await;
    let sent = send(&harness, tokens.refresh().as_str(), 2).await;
    gate.open();
    // The second request has a spent token, so the session ends.
    assert_eq!(statuses(&sent.join_all().await), [StatusCode::UNAUTHORIZED; 2]);
}

#[tokio::test]
async fn no_request_waits_for_a_refresh_that_began_a_window_ago() {
    let (harness, gate) = gated();
    let harness = harness.with_sessions(|s| s.rotation(RotationPolicy::strict()));
    let tokens = harness.sign_in().await;
    let first = send(&harness, tokens.refresh().as_str(), 1).await;
    harness.advance(9);
    let second = send(&harness, tokens.refresh().as_str(), 1).await;
    assert_eq!(gate.calls(), 1);
    harness.advance(1);
    let third = send(&harness, tokens.refresh().as_str(), 1).await;
    let third = third.join_all().await;
    assert_eq!(third[0].extensions.get(), Some(&RefreshRejection::Reuse));
    gate.open();
    // The session ended during the call of the hook.
    for sent in [first, second] {
        assert_eq!(statuses(&sent.join_all().await), [StatusCode::UNAUTHORIZED]);
    }
}

/// A hook that refuses every refresh.
struct RefuseAll;

#[async_trait]
impl RefreshHook<Profile> for RefuseAll {
    async fn on_refresh(
        &self,
        _: &RefreshContext<'_>,
        _: Profile,
    ) -> Result<Renewal<Profile>, HookError> {
        Err(HookError::Refuse)
    }
}

#[tokio::test]
async fn sessions_with_another_hook_do_not_share_a_refresh_in_flight() {
    let (harness, gate) = gated();
    let strict = harness.clone().with_sessions(|s| s.refresh_hook(RefuseAll));
    let tokens = harness.sign_in().await;
    let sent = send(&harness, tokens.refresh().as_str(), 1).await;
    let refused = strict.refresh(tokens.refresh().as_str()).await;
    assert_eq!(refused.extensions.get(), Some(&RefreshRejection::ByApplication));
    // The first node learns from the log that the session has ended.
    harness.until_refused(tokens.access().as_str()).await;
    gate.open();
    assert_eq!(statuses(&sent.join_all().await), [StatusCode::UNAUTHORIZED]);
}
