//! Logging out of several sessions takes a token that is good for a refresh.

use std::task::Poll;
use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::{
    EndReason, LogoutService, RefreshRejection, Revocation, RotationPolicy, Session, SessionLimit,
    SessionStore, Sessions, Tokens,
};
use tower_jwt_auth_tests::world::{request, send_to};
use tower_jwt_auth_tests::{Answer, Fault, ISSUER, World};

/// A world in which no session is removed behind the test's back.
fn new_world() -> World {
    World::new().with_sessions(Sessions::without_housekeeping)
}

async fn logout_others(world: &World, token: &str) -> Answer {
    let service = LogoutService::others(&world.sessions, world.cookie.clone());
    send_to(service, world.with_cookie(token)).await
}

/// Both services that end more than the session of the cookie.
async fn both(world: &World, token: &str) -> [Answer; 2] {
    [world.logout_everywhere(token).await, logout_others(world, token).await]
}

fn assert_refused(answer: &Answer, refusal: RefreshRejection) {
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(answer.extensions.get(), Some(&refusal));
    assert_eq!(answer.set_cookie(), None, "a 401 never touches the cookie");
}

async fn row(world: &World, tokens: &Tokens) -> Session {
    world.store.load(tokens.refresh().session_id()).await.unwrap().unwrap().session
}

async fn revoke_by_name(world: &World, tokens: &Tokens) {
    let revocation = Revocation::Token {
        issuer: ISSUER.into(),
        jti: tokens.refresh().id().to_string(),
        until: world.now() + Duration::from_secs(90 * 24 * 3600),
    };
    world.sessions.revoke(revocation).await.unwrap();
}

#[tokio::test]
async fn a_spent_token_ends_its_own_session_alone() {
    for others in [false, true] {
        let world = new_world();
        let (stolen, other) = (world.sign_in().await, world.sign_in().await);
        let mut last = stolen.refresh().as_str().to_owned();
        for _ in 0..2 {
            last = world.refresh(&last).await.cookie_value().unwrap().to_owned();
            world.advance(60);
        }
        let spent = stolen.refresh().as_str();
        let answer = match others {
            true => logout_others(&world, spent).await,
            false => world.logout_everywhere(spent).await,
        };
        assert_refused(&answer, RefreshRejection::Reuse);
        let ended = row(&world, &stolen).await.into_record().ended;
        assert_eq!(ended.map(|ended| ended.reason), Some(EndReason::Reuse));
        assert_eq!(world.refresh(&last).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(world.refresh(other.refresh().as_str()).await.status, StatusCode::OK);
        let events = tower_jwt_auth_tests::logs::lines_with("a spent refresh token was presented");
        let session = stolen.refresh().session_id().to_string();
        assert!(events.iter().any(|line| line.contains(&session) && line.contains("WARN")));
    }
}

#[tokio::test]
async fn a_strict_policy_holds_for_logouts_too() {
    let world = new_world().with_sessions(|s| s.with_policy(RotationPolicy::strict()).unwrap());
    let (first, other) = (world.sign_in().await, world.sign_in().await);
    world.refresh(first.refresh().as_str()).await;
    world.advance(60);
    assert_refused(
        &world.logout_everywhere(first.refresh().as_str()).await,
        RefreshRejection::Reuse,
    );
    assert!(row(&world, &first).await.record().ended.is_some());
    assert!(row(&world, &other).await.record().ended.is_none());
}

#[tokio::test]
async fn a_token_that_was_revoked_by_name_ends_nothing() {
    let world = new_world();
    let (revoked, other) = (world.sign_in().await, world.sign_in().await);
    revoke_by_name(&world, &revoked).await;
    for answer in both(&world, revoked.refresh().as_str()).await {
        assert_refused(&answer, RefreshRejection::Revoked);
    }
    for tokens in [&revoked, &other] {
        assert!(row(&world, tokens).await.record().ended.is_none());
    }
}

// A refresh hands out the successor; a token whose successor may not be handed out is good for none.
#[tokio::test]
async fn a_token_whose_successor_was_revoked_by_name_ends_nothing() {
    for pause in [1, 60] {
        let world = new_world();
        let (first, other) = (world.sign_in().await, world.sign_in().await);
        let successor = world.sessions.refresh(first.refresh().as_str()).await.unwrap();
        revoke_by_name(&world, &successor).await;
        world.advance(pause);
        for answer in both(&world, first.refresh().as_str()).await {
            assert_refused(&answer, RefreshRejection::Revoked);
        }
        for tokens in [&first, &other] {
            assert!(row(&world, tokens).await.record().ended.is_none());
        }
    }
}

#[tokio::test]
async fn a_token_of_a_session_that_is_over_ends_nothing() {
    let world = new_world();
    let over = world.sign_in().await;
    world.advance(31 * 24 * 3600);
    let other = world.sign_in().await;
    for answer in both(&world, over.refresh().as_str()).await {
        assert_refused(&answer, RefreshRejection::Idle);
    }
    assert!(row(&world, &other).await.record().ended.is_none());
    world.advance(60 * 24 * 3600);
    for answer in both(&world, over.refresh().as_str()).await {
        assert_refused(&answer, RefreshRejection::Expired);
    }
}

#[tokio::test]
async fn a_tab_logs_out_everywhere_though_another_one_has_just_refreshed() {
    for pause in [0, 1, 60] {
        let world = new_world();
        let (mine, other) = (world.sign_in().await, world.sign_in().await);
        let refreshed = world.refresh(mine.refresh().as_str()).await;
        world.advance(pause);
        let answer = world.logout_everywhere(mine.refresh().as_str()).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{pause} seconds later");
        for token in [other.refresh().as_str(), refreshed.cookie_value().unwrap()] {
            assert_eq!(world.refresh(token).await.status, StatusCode::UNAUTHORIZED);
        }
    }
}

#[tokio::test]
async fn the_session_that_goes_on_is_not_changed_by_the_question() {
    for pause in [1, 60] {
        let world = new_world();
        let (mine, other) = (world.sign_in().await, world.sign_in().await);
        world.refresh(mine.refresh().as_str()).await;
        world.advance(pause);
        let before = row(&world, &mine).await;
        let answer = logout_others(&world, mine.refresh().as_str()).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(row(&world, &mine).await, before);
        assert!(row(&world, &other).await.record().ended.is_some());
    }
}

#[tokio::test]
async fn the_question_is_judged_by_the_time_of_the_store() {
    use std::sync::Arc;
    use tower_jwt_auth::{Issuer, ManualClock, RefreshSecrets};
    use tower_jwt_auth_tests::world::REFRESH_SECRET;
    // The node's clock stays behind: to it, the session is not idle yet.
    let world = new_world();
    let issuer = Issuer::new(ISSUER, tower_jwt_auth_tests::AUDIENCE, world.key.clone())
        .unwrap()
        .with_clock(Arc::new(ManualClock::at(world.now())));
    let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    let mut behind = world.clone();
    let sessions = Sessions::new(issuer, secrets, world.store.clone()).unwrap();
    behind.sessions = sessions.without_housekeeping();
    let over = world.sign_in().await;
    world.advance(30 * 24 * 3600);
    let other = world.sign_in().await;
    for answer in both(&behind, over.refresh().as_str()).await {
        assert_refused(&answer, RefreshRejection::Idle);
    }
    assert!(row(&world, &other).await.record().ended.is_none());
}

/// More sessions than a batch ends, and the tokens of the first one.
async fn many(world: &World) -> Tokens {
    let first = world.sign_in().await;
    for _ in 0..300 {
        let _ = world.sign_in().await;
    }
    first
}

async fn count(world: &World) -> usize {
    let (mut count, mut after) = (0, None);
    loop {
        let page = world.sessions.list("alice", after).await.unwrap();
        count += page.sessions.len();
        after = page.next;
        if after.is_none() {
            return count;
        }
    }
}

fn unlimited() -> World {
    new_world().with_sessions(|sessions| sessions.with_session_limit(SessionLimit::none()))
}

#[tokio::test]
async fn a_logout_everywhere_that_failed_halfway_can_be_repeated() {
    let world = unlimited();
    let mine = many(&world).await;
    // The first batch is written, and its answer lost.
    world.store.fail("end", Fault::After);
    let failed = world.logout_everywhere(mine.refresh().as_str()).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    world.store.heal();
    let again = world.logout_everywhere(mine.refresh().as_str()).await;
    assert_eq!((again.status, count(&world).await), (StatusCode::NO_CONTENT, 0));
}

#[tokio::test]
async fn what_ends_is_known_on_this_node_though_an_answer_was_lost() {
    let world = new_world();
    world.sessions.revocations().ready().await;
    let tokens = world.sign_in().await;
    // The list learns of nothing by itself.
    world.store.fail("read", Fault::Before);
    world.store.fail("changed", Fault::Hang);
    world.store.fail("end", Fault::After);
    assert!(world.sessions.end_all("alice").await.is_err());
    world.store.heal();
    assert_eq!(world.sessions.end_all("alice").await.unwrap(), 0);
    let refused = world.call(tokens.access().as_str()).await;
    refused.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn what_the_list_cannot_learn_of_is_not_acknowledged() {
    let world = new_world();
    world.sessions.revocations().ready().await;
    let _ = world.sign_in().await;
    world.store.fail("end", Fault::After);
    assert!(world.sessions.end_all("alice").await.is_err());
    world.store.heal();
    world.store.fail("read", Fault::Before);
    world.store.fail("append", Fault::Before);
    assert!(world.sessions.end_all("alice").await.is_err());
}

#[tokio::test]
async fn an_ending_whose_caller_leaves_is_brought_to_its_end() {
    let world = unlimited();
    let _ = many(&world).await;
    let mut ending = Box::pin(world.sessions.end_all("alice"));
    let begun = std::future::poll_fn(|cx| Poll::Ready(ending.as_mut().poll(cx))).await;
    assert!(begun.is_pending());
    drop(ending);
    for _ in 0..1000 {
        if count(&world).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("sessions go on");
}

#[tokio::test]
async fn one_request_costs_a_bounded_number_of_questions() {
    let world = unlimited();
    let mut header = String::new();
    for _ in 0..60 {
        let tokens = world.sign_in().await;
        header.push_str(&format!("{}={}; ", world.cookie.name(), tokens.refresh().as_str()));
    }
    let asked = world.store.asked();
    let logout = LogoutService::this_session(&world.sessions, world.cookie.clone());
    let too_many = send_to(logout.clone(), request("POST", &[("cookie", &header)])).await;
    assert_refused(&too_many, RefreshRejection::Ambiguous);
    assert_eq!(world.store.asked(), asked);

    world.sessions.end_all("alice").await.unwrap();
    let asked = world.store.asked();
    let over = send_to(logout, request("POST", &[("cookie", &header)])).await;
    assert_eq!(over.status, StatusCode::NO_CONTENT, "there is nothing to end any more");
    assert_eq!(world.store.asked(), asked, "which the list knows");
}
