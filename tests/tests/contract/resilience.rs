//! What a hanging store, a client that leaves, and requests that overtake each other must not do.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use tokio::sync::Notify;
use tower_jwt_auth::{
    HookError, LogoutService, RefreshContext, RefreshHook, RefreshRejection, Renewal, Revocation,
    SessionError, SignIn, TokenStatus, Verifier,
};
use tower_jwt_auth_tests::world::send_to;
use tower_jwt_auth_tests::{Fault, ISSUER, Profile, World};

// Time is paused, and runs ahead while everything waits.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_503_like_one_that_fails() {
    let world = World::new();
    let tokens = world.sign_in().await;
    world.sessions.revocations().ready().await;
    world.store.fail("*", Fault::Hang);
    world.advance(31);
    let patience = Duration::from_secs(60);
    let (access, refresh) = (tokens.access().as_str(), tokens.refresh().as_str());
    for answer in [
        tokio::time::timeout(patience, world.call(access)).await,
        tokio::time::timeout(patience, world.refresh(refresh)).await,
        tokio::time::timeout(patience, world.logout(refresh)).await,
        tokio::time::timeout(patience, world.logout_everywhere(refresh)).await,
    ] {
        let answer = answer.expect("an answer comes");
        answer.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
        assert_eq!(answer.set_cookie(), None);
    }
    let started = tokio::time::timeout(patience, world.sessions.start(World::alice())).await;
    assert!(matches!(started, Ok(Err(SessionError::Store(_)))));
    world.store.heal();
    assert_eq!(world.refresh(refresh).await.status, StatusCode::OK);
}

/// A store that waits until it is let go.
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

// A tab that closes does not undo the logout that it began.
#[tokio::test]
async fn a_client_that_leaves_does_not_cancel_its_logout() {
    use tower::Service;
    let world = World::new();
    let tokens = world.sign_in().await;
    let mut logout = LogoutService::this_session(&world.sessions, world.cookie.clone());
    let answer = logout.call(world.with_cookie(tokens.refresh().as_str()));
    drop(answer);
    world.until_refused(tokens.access().as_str()).await;
}

// Nor does it keep a session alive that the application has refused.
#[tokio::test]
async fn a_client_that_leaves_does_not_escape_the_hook() {
    use tower::Service;
    let gate = Gate::default();
    let hook = gate.clone();
    let world = World::new().with_sessions(|s| s.with_refresh_hook(hook));
    let mallory = SignIn::new("mallory", Profile { name: "Mallory".into() });
    let tokens = world.sign_in_as(mallory).await;
    let mut service = world.refresh_service();
    let answer = service.call(world.with_cookie(tokens.refresh().as_str()));
    gate.reached.notified().await;
    drop(answer);
    gate.open.notify_one();
    world.until_refused(tokens.access().as_str()).await;
}

// Design §7: the answer of an ended session must not take the place of a new login's cookie.
#[tokio::test]
async fn a_refresh_that_was_overtaken_by_a_logout_hands_out_nothing() {
    let gate = Gate::default();
    let hook = gate.clone();
    let world = World::new().with_sessions(|s| s.with_refresh_hook(hook));
    let tokens = world.sign_in().await;
    let refreshing = tokio::spawn({
        let (world, token) = (world.clone(), tokens.refresh().as_str().to_owned());
        async move { world.refresh(&token).await }
    });
    gate.reached.notified().await;
    assert_eq!(world.logout(tokens.refresh().as_str()).await.status, StatusCode::NO_CONTENT);
    gate.open.notify_one();
    let answer = refreshing.await.unwrap();
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(answer.extensions.get(), Some(&RefreshRejection::Revoked));
    assert_eq!(answer.set_cookie(), None);
}

// A refresh token that was revoked by name is not handed out again to its predecessor.
#[tokio::test]
async fn a_retry_does_not_bring_a_revoked_successor_back() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let successor = world.sessions.refresh(tokens.refresh().as_str()).await.unwrap();
    let revocation = Revocation::Token {
        issuer: ISSUER.into(),
        jti: successor.refresh().id().to_string(),
        until: world.now() + successor.refresh().valid_for(),
    };
    world.sessions.revoke(revocation).await.unwrap();
    // Two replays and a late retry; a second late retry would be reuse.
    for pause in [1, 5, 3600] {
        world.advance(pause);
        for token in [tokens.refresh().as_str(), successor.refresh().as_str()] {
            let answer = world.refresh(token).await;
            answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
            assert_eq!(answer.extensions.get(), Some(&RefreshRejection::Revoked));
        }
    }
}

// Design §5: what is acknowledged holds, also for tokens that name a session.
#[tokio::test]
async fn revoking_a_subject_reaches_tokens_that_name_a_session() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let revocation = Revocation::Subject {
        issuer: ISSUER.into(),
        sub: "alice".into(),
        issued_before: world.now() + Duration::from_secs(1),
        until: tokens.access().expires_at(),
    };
    world.sessions.revoke(revocation).await.unwrap();
    let answer = world.call(tokens.access().as_str()).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    world.advance(1);
    let later = world.sign_in().await;
    assert_eq!(world.call(later.access().as_str()).await.status, StatusCode::OK);
}

// Many cookies cost no more than few.
#[tokio::test]
async fn the_same_cookie_over_and_over_is_one_question_to_the_store() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let one = format!("{}={}; ", world.cookie.name(), tokens.refresh().as_str());
    let request =
        tower_jwt_auth_tests::world::request("POST", &[("cookie", one.repeat(200).as_str())]);
    let asked = world.store.asked();
    let logout = LogoutService::this_session(&world.sessions, world.cookie.clone());
    assert_eq!(send_to(logout, request).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.store.asked(), asked + 1);
}

// What is issued is accepted: a sign-in whose tokens nobody would take is an error at once.
#[tokio::test]
async fn claims_that_cannot_be_read_back_are_refused_at_sign_in() {
    use std::collections::BTreeMap;
    use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SigningKey};
    let issuer = || Issuer::new(ISSUER, "a", SigningKey::generate().unwrap()).unwrap();
    let secrets = || RefreshSecrets::generate().unwrap();

    type Many = BTreeMap<String, u8>;
    let sessions = Sessions::<Many>::new(issuer(), secrets(), MemoryStore::new()).unwrap();
    let claims = |n: u32| (0..n).map(|n| (format!("claim-{n}"), 0)).collect::<Many>();
    assert!(sessions.start(SignIn::new("alice", claims(128))).await.is_ok());
    let many = sessions.start(SignIn::new("alice", claims(129))).await;
    assert!(matches!(many, Err(SessionError::Issue(_))), "{many:?}");

    #[derive(serde::Serialize, serde::Deserialize)]
    enum External {
        Variant { a: u8 },
    }
    let sessions = Sessions::<External>::new(issuer(), secrets(), MemoryStore::new()).unwrap();
    let external = sessions.start(SignIn::new("alice", External::Variant { a: 1 })).await;
    assert!(matches!(external, Err(SessionError::Issue(_))), "{external:?}");
    assert!(sessions.list("alice", None).await.unwrap().sessions.is_empty());

    let nobody = World::new().sessions.start(World::alice().with_client_id("")).await;
    assert!(matches!(nobody, Err(SessionError::NoClientId)), "{nobody:?}");
}

/// Waits for ever.
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
    let world = World::new().with_sessions(|s| s.with_refresh_hook(Hangs));
    let tokens = world.sign_in().await;
    let answer =
        tokio::time::timeout(Duration::from_secs(60), world.refresh(tokens.refresh().as_str()));
    let answer = answer.await.expect("an answer comes");
    answer.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    assert!(answer.set_cookie().is_some());
}

/// Answers with a scope that is none.
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

// What trying again does not mend is not told to be tried again, and ends nothing.
#[tokio::test]
async fn a_fault_of_the_service_is_500_and_the_session_goes_on() {
    let world = World::new().with_sessions(|s| s.with_refresh_hook(BadScope));
    let tokens = world.sign_in().await;
    let answer = world.refresh(tokens.refresh().as_str()).await;
    answer.assert_refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    assert_eq!(answer.header("retry-after"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.set_cookie().is_some(), "nobody is left a generation behind");
    assert_eq!(world.sessions.list("alice", None).await.unwrap().sessions.len(), 1);
    assert_eq!(world.call(tokens.access().as_str()).await.status, StatusCode::OK);
}

// A long-lived connection can ask again, for as long as it lives.
#[tokio::test]
async fn an_identity_can_be_asked_after_its_request() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let verifier = Verifier::<Profile>::new(world.sessions.issuer());
    let identity = verifier.verify(tokens.access().as_str(), world.now()).unwrap();
    let list = world.sessions.revocations();
    assert_eq!(list.status(&identity).await.unwrap(), TokenStatus::Valid);
    world.logout(tokens.refresh().as_str()).await;
    assert_eq!(list.status(&identity).await.unwrap(), TokenStatus::Revoked);
    let other = world.sign_in().await;
    let other = verifier.verify(other.access().as_str(), world.now()).unwrap();
    world.advance(304);
    assert_eq!(list.status(&other).await.unwrap(), TokenStatus::Valid, "within the leeway");
    world.store.fail("*", Fault::Before);
    assert!(list.status(&other).await.is_err(), "what cannot be told is an error");
    world.advance(1);
    assert_eq!(list.status(&other).await.unwrap(), TokenStatus::Expired);
}

// Short lives of access tokens shrink the grace window instead of being refused.
#[tokio::test]
async fn access_tokens_may_live_for_seconds() {
    use tower_jwt_auth::{Issuer, RefreshSecrets, Sessions, SigningKey};
    let world = World::new();
    let issuer = Issuer::new(ISSUER, "a", SigningKey::generate().unwrap())
        .unwrap()
        .with_clock(world.clock.clone())
        .with_access_lifetime(Duration::from_secs(2))
        .unwrap();
    let secrets = RefreshSecrets::generate().unwrap();
    let sessions = Sessions::<Profile>::new(issuer, secrets, world.store.clone()).unwrap();
    let tokens = sessions.start(World::alice()).await.unwrap();
    let first = sessions.refresh(tokens.refresh().as_str()).await.unwrap();
    let replayed = sessions.refresh(tokens.refresh().as_str()).await.unwrap();
    assert_eq!(first.refresh().as_str(), replayed.refresh().as_str());
    assert_eq!(replayed.access().expires_in(), Duration::from_secs(2));
}

// A logout that is answered holds here, also where another node, or a call whose answer was lost, had
// ended the session.
#[tokio::test]
async fn a_second_logout_makes_this_node_know_what_it_did_not_do() {
    let world = World::new();
    let sibling = world.sibling();
    let tokens = world.sign_in().await;
    sibling.sessions.revocations().ready().await;
    // The sibling's follower hears nothing from now on.
    sibling.store.fail("read", Fault::Before);
    sibling.store.fail("changed", Fault::Hang);
    for _ in 0..2 {
        world.logout(tokens.refresh().as_str()).await;
    }
    assert_eq!(sibling.call(tokens.access().as_str()).await.status, StatusCode::OK);
    let answer = sibling.logout(tokens.refresh().as_str()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let answer = sibling.call(tokens.access().as_str()).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

// Planted cookies do not hide the user's own.
#[tokio::test]
async fn logout_ends_every_session_whose_cookie_came_along() {
    let world = World::new();
    let mut header = String::new();
    let mut all = Vec::new();
    for _ in 0..12 {
        let tokens = world.sign_in().await;
        header += &format!("{}={}; ", world.cookie.name(), tokens.refresh().as_str());
        all.push(tokens);
    }
    let request = tower_jwt_auth_tests::world::request("POST", &[("cookie", &header)]);
    let logout = LogoutService::this_session(&world.sessions, world.cookie.clone());
    assert_eq!(send_to(logout, request).await.status, StatusCode::NO_CONTENT);
    for tokens in all {
        let answer = world.call(tokens.access().as_str()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}

/// Panics.
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
async fn a_hook_that_panics_is_500_and_the_session_goes_on() {
    let world = World::new().with_sessions(|s| s.with_refresh_hook(Panics));
    let tokens = world.sign_in().await;
    let answer = world.refresh(tokens.refresh().as_str()).await;
    answer.assert_refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    assert_eq!(world.sessions.list("alice", None).await.unwrap().sessions.len(), 1);
}

// The runtime that sessions were made in may be gone; the one that serves is there.
#[test]
fn requests_are_worked_on_in_the_runtime_that_serves() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let (world, token) = first.block_on(async {
        let world = World::new();
        let token = world.sign_in().await.refresh().as_str().to_owned();
        (world, token)
    });
    let answer = second.block_on(async {
        tokio::time::timeout(Duration::from_secs(10), world.refresh(&token)).await
    });
    assert_eq!(answer.expect("an answer comes").status, StatusCode::OK);
    drop(first);
    let answer = second.block_on(async { world.logout(&token).await });
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

// Refresh tokens that are sent over and over while their rows are locked must not keep anyone from logging out. One
// token takes 256 places at most.
#[tokio::test(start_paused = true)]
async fn a_logout_goes_through_while_refreshes_take_all_their_places() {
    use tower::Service;
    let world = World::new();
    world.sessions.revocations().ready().await;
    let mut greedy = Vec::new();
    for _ in 0..4096 / 256 {
        greedy.push(world.sign_in().await);
    }
    let mine = world.sign_in().await;
    let other = world.sign_in().await;
    world.store.fail("advance", Fault::Hang);
    let mut refresh = world.refresh_service();
    let places = greedy.iter().flat_map(|greedy| std::iter::repeat_n(greedy, 256));
    let taken: Vec<_> =
        places.map(|greedy| refresh.call(world.with_cookie(greedy.refresh().as_str()))).collect();
    let begun = tokio::time::Instant::now();
    let surplus = world.refresh(mine.refresh().as_str()).await;
    surplus.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");

    let answer = world.logout(mine.refresh().as_str()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let answer = world.logout_everywhere(other.refresh().as_str()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(world.sessions.list("alice", None).await.unwrap().sessions.is_empty());
    assert_eq!(tokio::time::Instant::now(), begun, "nobody waited for the store");
    for answer in taken {
        assert_eq!(answer.await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}

// Logouts are bounded, too; one that has nothing to end needs no place.
#[tokio::test(start_paused = true)]
async fn a_logout_without_a_session_is_204_while_logouts_take_all_their_places() {
    use tower::Service;
    let world = World::new();
    world.sessions.revocations().ready().await;
    let tokens = world.sign_in().await;
    world.store.fail("end", Fault::Hang);
    let mut logout = LogoutService::this_session(&world.sessions, world.cookie.clone());
    let taken: Vec<_> =
        (0..4096).map(|_| logout.call(world.with_cookie(tokens.refresh().as_str()))).collect();
    let begun = tokio::time::Instant::now();
    let surplus = world.logout(tokens.refresh().as_str()).await;
    surplus.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    assert_eq!(world.logout("garbage").await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
    assert_eq!(tokio::time::Instant::now(), begun, "nobody waited for the store");
    drop(taken);
}
