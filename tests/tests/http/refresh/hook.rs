//! The refresh hook.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::StatusCode;
use tower_jwt_auth::RefreshHook;
use tower_jwt_auth::sessions::{
    ClientInfo, HookError, RefreshContext, RefreshKind, RefreshRejection, Renewal,
};
use tower_jwt_auth_tests::harness::assert_rejected;
use tower_jwt_auth_tests::token_builder::decode;
use tower_jwt_auth_tests::{Fault, Harness, Profile};

use super::generation;

/// A hook that a test controls by a number: 0 continues, 1 changes the claims and the scope, 2 refuses, 3 fails, 4 changes
/// the claims alone, 5 the scope alone.
struct Controlled(Arc<AtomicU8>);

#[async_trait]
impl RefreshHook<Profile> for Controlled {
    async fn on_refresh(
        &self,
        refresh: &RefreshContext<'_>,
        claims: Profile,
    ) -> Result<Renewal<Profile>, HookError> {
        let session = refresh.session();
        assert_eq!((session.subject(), claims.name.as_str()), ("alice", "Alice"));
        match self.0.load(Ordering::SeqCst) {
            0 => Ok(Renewal::of(session, claims)),
            1 => Ok(Renewal::of(session, Profile { name: "Alicia".into() }).with_scope("read")),
            2 => Err(HookError::Refuse),
            4 => Ok(Renewal::of(session, Profile { name: "Alicia".into() })),
            5 => Ok(Renewal::of(session, claims).with_scope("read")),
            _ => Err(HookError::Unavailable("the directory is down".into())),
        }
    }
}

fn hooked() -> (Harness, Arc<AtomicU8>) {
    let control = Arc::new(AtomicU8::new(0));
    let hook = Controlled(control.clone());
    (Harness::new().with_sessions(|s| s.refresh_hook(hook)), control)
}

#[tokio::test]
async fn the_hook_changes_the_next_access_token_and_no_other() {
    let (harness, control) = hooked();
    let tokens = harness.sign_in().await;
    control.store(1, Ordering::SeqCst);
    let changed = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(harness.call(&changed.access_token()).await.body, "alice is Alicia");
    assert_eq!(decode(&changed.access_token(), 1)["scope"], "read");
    control.store(0, Ordering::SeqCst);
    harness.advance(10);
    let next = harness.refresh(changed.cookie_value().unwrap()).await;
    assert_eq!(harness.call(&next.access_token()).await.body, "alice is Alice");
    assert_eq!(decode(&next.access_token(), 1)["scope"], "read write");
}

#[tokio::test]
async fn the_hook_changes_the_claims_or_the_scope_alone() {
    let (harness, control) = hooked();
    let mut token = harness.sign_in().await.refresh().as_str().to_owned();
    for (mode, name, scope) in
        [(4, "Alicia", "read write"), (0, "Alice", "read write"), (5, "Alice", "read")]
    {
        control.store(mode, Ordering::SeqCst);
        let response = harness.refresh(&token).await;
        let claims = decode(&response.access_token(), 1);
        assert_eq!((&claims["name"], &claims["scope"]), (&name.into(), &scope.into()));
        token = response.cookie_value().unwrap().to_owned();
        harness.advance(10);
    }
}

#[tokio::test]
async fn a_hook_that_refuses_ends_the_session() {
    let (harness, control) = hooked();
    let tokens = harness.sign_in().await;
    control.store(2, Ordering::SeqCst);
    let response = harness.refresh(tokens.refresh().as_str()).await;
    assert_rejected(&response, RefreshRejection::ByApplication);
    let refused = harness.call(tokens.access().as_str()).await;
    refused.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    control.store(0, Ordering::SeqCst);
    assert_rejected(&harness.refresh(tokens.refresh().as_str()).await, RefreshRejection::Revoked);
}

#[tokio::test]
async fn a_hook_that_fails_is_503_with_the_successor() {
    let (harness, control) = hooked();
    let tokens = harness.sign_in().await;
    control.store(3, Ordering::SeqCst);
    let failed = harness.refresh(tokens.refresh().as_str()).await;
    failed.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    assert_eq!(failed.header("retry-after"), Some("1"));
    assert_eq!(failed.header("cache-control"), Some("no-store"));
    assert_eq!(generation(&failed), 1, "the client gets the successor");
    harness.advance(60);
    control.store(0, Ordering::SeqCst);
    let next = harness.refresh(failed.cookie_value().unwrap()).await;
    assert_eq!(generation(&next), 2);
}

// If the store is unavailable when a hook refuses, the next refresh must call the hook again.
#[tokio::test]
async fn a_refusal_that_fails_in_the_store_is_503() {
    let (harness, control) = hooked();
    let tokens = harness.sign_in().await;
    control.store(2, Ordering::SeqCst);
    harness.store.fail("end", Fault::Before);
    let failed = harness.refresh(tokens.refresh().as_str()).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    harness.store.heal();
    let response = harness.refresh(failed.cookie_value().unwrap()).await;
    assert_rejected(&response, RefreshRejection::ByApplication);
}

/// A hook that records its calls.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<Seen>>>);

/// The kind of the refresh, the user agent of the client, and the generation.
type Seen = (RefreshKind, Option<String>, u64);

#[async_trait]
impl RefreshHook<Profile> for Witness {
    async fn on_refresh(
        &self,
        refresh: &RefreshContext<'_>,
        claims: Profile,
    ) -> Result<Renewal<Profile>, HookError> {
        let user_agent = refresh.client().user_agent().map(str::to_owned);
        let seen = (refresh.kind(), user_agent, refresh.session().generation());
        self.0.lock().unwrap().push(seen);
        Ok(Renewal::of(refresh.session(), claims))
    }
}

#[tokio::test]
async fn the_hook_receives_the_kind_of_refresh_and_the_client() {
    let witness = Witness::default();
    let harness = Harness::new().with_sessions(|s| s.refresh_hook(witness.clone()));
    let tokens = harness.sign_in().await;
    let refresh = async |agent: &str| {
        let client = ClientInfo::default().with_user_agent(agent);
        let _ = harness.sessions.refresh_from(tokens.refresh().as_str(), &client).await.unwrap();
    };
    refresh("first").await;
    refresh("second").await;
    harness.advance(10);
    refresh("third").await;
    let seen = witness.0.lock().unwrap().clone();
    let expected = [
        (RefreshKind::Rotated, Some("first".to_owned()), 1),
        (RefreshKind::Replayed, Some("second".to_owned()), 1),
        (RefreshKind::RetriedLate, Some("third".to_owned()), 1),
    ];
    assert_eq!(seen, expected);
}
