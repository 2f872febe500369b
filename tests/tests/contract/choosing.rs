//! Requests that carry refresh cookies of several sessions: which one of them counts.

use http::StatusCode;
use tower_jwt_auth::{
    EndReason, LogoutService, RefreshRejection, Revocation, Session, SessionId, SessionStore,
    Sessions, Tokens,
};
use tower_jwt_auth_tests::forge::decode;
use tower_jwt_auth_tests::world::{REFRESH_SECRET, request, send_to};
use tower_jwt_auth_tests::{Answer, Fault, Forge, ISSUER, World};

const DAY: u64 = 24 * 3600;

/// A world in which no session is removed behind the test's back.
fn new_world() -> World {
    World::new().with_sessions(Sessions::without_housekeeping)
}

/// The `Cookie` header of a browser that keeps these tokens in several scopes.
fn cookies(world: &World, tokens: &[&str]) -> String {
    let cookie = |token: &&str| format!("{}={token}", world.cookie.name());
    tokens.iter().map(cookie).collect::<Vec<_>>().join("; ")
}

async fn refresh(world: &World, tokens: &[&str]) -> Answer {
    let header = cookies(world, tokens);
    send_to(world.refresh_service(), request("POST", &[("cookie", &header)])).await
}

async fn logout_everywhere(world: &World, tokens: &[&str]) -> Answer {
    let service = LogoutService::everywhere(&world.sessions, world.cookie.clone());
    send_to(service, request("POST", &[("cookie", &cookies(world, tokens))])).await
}

async fn logout_others(world: &World, tokens: &[&str]) -> Answer {
    let service = LogoutService::others(&world.sessions, world.cookie.clone());
    send_to(service, request("POST", &[("cookie", &cookies(world, tokens))])).await
}

/// The session whose refresh token an answer hands out.
fn session_of(answer: &Answer) -> SessionId {
    let claims = decode(answer.cookie_value().expect("a cookie"), 1);
    claims["sid"].as_str().unwrap().parse().unwrap()
}

/// The refresh token with another secret, as someone makes it who holds the signing secret alone.
fn forged(token: &str, generation: u64) -> String {
    let key = Forge::hs256(&REFRESH_SECRET).signature("tower-jwt-auth refresh token v1");
    let (header, mut claims) = (decode(token, 0), decode(token, 1));
    let sid: SessionId = claims["sid"].as_str().unwrap().parse().unwrap();
    let sec = [7; 16];
    claims["sec"] = tower_jwt_auth_tests::forge::encode(&sec).into();
    claims["gen"] = generation.into();
    claims["jti"] = crate::revoking::forged_id(sid.as_bytes(), generation, &sec).into();
    Forge::hs256(&key).token(&header.to_string(), &claims.to_string())
}

/// Ways in which a session can be over while its cookie is still sent.
#[derive(Clone, Copy, Debug)]
enum Over {
    LoggedOut,
    LoggedOutOnAnotherNode,
    Replaced,
    Idle,
    PastItsEnd,
    Removed,
    RevokedByName,
    OfAnotherSecret,
}

const ALL: [Over; 8] = [
    Over::LoggedOut,
    Over::LoggedOutOnAnotherNode,
    Over::Replaced,
    Over::Idle,
    Over::PastItsEnd,
    Over::Removed,
    Over::RevokedByName,
    Over::OfAnotherSecret,
];

/// A refresh token whose session is over in this way, and one of a live session.
async fn dead_and_live(world: &World, over: Over) -> (String, Tokens) {
    let dead = world.sign_in().await;
    let token = dead.refresh().as_str().to_owned();
    match over {
        Over::LoggedOut => {
            world.logout(&token).await;
        }
        Over::LoggedOutOnAnotherNode => {
            // This node learns nothing of it.
            world.store.fail("read", Fault::Before);
            world.store.fail("changed", Fault::Hang);
            world.sibling().logout(&token).await;
        }
        Over::Replaced => {
            return (token.clone(), world.sign_in_as(World::alice().replacing_token(&token)).await);
        }
        Over::Idle => world.advance(31 * DAY),
        Over::PastItsEnd => world.advance(91 * DAY),
        Over::Removed => {
            world.logout(&token).await;
            world.advance(2 * DAY);
            let removed = world.store.purge_sessions(std::time::Duration::ZERO, 10).await;
            assert_eq!(removed.unwrap(), 1);
        }
        Over::RevokedByName => {
            let revocation = Revocation::Token {
                issuer: ISSUER.into(),
                jti: dead.refresh().id().to_string(),
                until: world.now() + dead.refresh().valid_for(),
            };
            world.sessions.revoke(revocation).await.unwrap();
        }
        Over::OfAnotherSecret => return (forged(&token, 9), world.sign_in().await),
    }
    (token, world.sign_in().await)
}

#[tokio::test]
async fn a_cookie_of_a_session_that_is_over_does_not_stand_in_the_way_of_a_live_one() {
    for over in ALL {
        for live_first in [false, true] {
            let world = new_world();
            world.sessions.revocations().ready().await;
            let (dead, live) = dead_and_live(&world, over).await;
            let id = live.refresh().session_id();
            let order = |live: &str| {
                let mut both = [dead.clone(), live.to_owned()];
                both[..].rotate_left(usize::from(live_first));
                both
            };
            let both = order(live.refresh().as_str());
            let answer = refresh(&world, &both.each_ref().map(String::as_str)).await;
            assert_eq!(answer.status, StatusCode::OK, "{over:?}, live first: {live_first}");
            assert_eq!(session_of(&answer), id);

            let both = order(answer.cookie_value().unwrap());
            let answer = logout_others(&world, &both.each_ref().map(String::as_str)).await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{over:?}");
            let listed = world.sessions.list("alice", None).await.unwrap().sessions;
            assert_eq!(listed.iter().map(Session::id).collect::<Vec<_>>(), [id], "{over:?}");
            let answer = logout_everywhere(&world, &both.each_ref().map(String::as_str)).await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{over:?}");
            assert!(
                world.sessions.list("alice", None).await.unwrap().sessions.is_empty(),
                "{over:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_session_that_the_store_knows_to_be_over_is_known_here_from_then_on() {
    let world = new_world();
    world.sessions.revocations().ready().await;
    let (dead, live) = (world.sign_in().await, world.sign_in().await);
    world.store.fail("read", Fault::Before);
    world.store.fail("changed", Fault::Hang);
    world.sibling().logout(dead.refresh().as_str()).await;
    assert_eq!(world.call(dead.access().as_str()).await.status, StatusCode::OK);
    refresh(&world, &[dead.refresh().as_str(), live.refresh().as_str()]).await;
    let answer = world.call(dead.access().as_str()).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn cookies_of_sessions_that_are_all_over_are_refused_and_left_alone() {
    let world = new_world();
    let (idle, ended) = (world.sign_in().await, world.sign_in().await);
    world.advance(31 * DAY);
    world.logout(ended.refresh().as_str()).await;
    let tokens = [ended.refresh().as_str(), idle.refresh().as_str()];
    for answer in [refresh(&world, &tokens).await, logout_everywhere(&world, &tokens).await] {
        answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(answer.extensions.get(), Some(&RefreshRejection::Idle), "of the last one");
        assert_eq!(answer.set_cookie(), None);
    }
}

#[tokio::test]
async fn two_live_sessions_beside_one_that_is_over_are_refused_and_nothing_happens() {
    let world = new_world();
    let (mine, over, planted) =
        (world.sign_in().await, world.sign_in().await, world.sign_in().await);
    world.logout(over.refresh().as_str()).await;
    let all = [&mine, &over, &planted].map(|tokens| tokens.refresh().as_str());
    for answer in [
        refresh(&world, &all).await,
        logout_everywhere(&world, &all).await,
        logout_others(&world, &all).await,
    ] {
        answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(answer.extensions.get(), Some(&RefreshRejection::Ambiguous));
        assert_eq!(answer.set_cookie(), None);
    }
    let rows = world.sessions.list("alice", None).await.unwrap().sessions;
    assert_eq!(rows.iter().map(Session::generation).collect::<Vec<_>>(), [0, 0]);
}

// A session whose store lost its last rotations is still a session: it must not give way to a planted one.
#[tokio::test]
async fn a_token_that_is_ahead_of_the_store_counts_as_one_of_a_live_session() {
    let (world, ahead) = (new_world(), new_world());
    let planted = world.sign_in().await;
    let mine = world.sign_in().await;
    let row = world.store.load(mine.refresh().session_id()).await.unwrap().unwrap().session;
    ahead.store.insert(&row, tower_jwt_auth::SessionLimit::none()).await.unwrap();
    let next = ahead.refresh(mine.refresh().as_str()).await;
    let answer = refresh(&world, &[next.cookie_value().unwrap(), planted.refresh().as_str()]).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(answer.extensions.get(), Some(&RefreshRejection::Ambiguous));
}

#[tokio::test]
async fn a_store_that_fails_while_cookies_are_judged_is_503_and_they_are_left_alone() {
    for fault in [Fault::Before, Fault::After] {
        let world = new_world();
        let (dead, live) = dead_and_live(&world, Over::Idle).await;
        let both = [dead.as_str(), live.refresh().as_str()];
        world.sessions.revocations().ready().await;
        world.store.fail("load", fault);
        for answer in [refresh(&world, &both).await, logout_everywhere(&world, &both).await] {
            answer.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert_eq!(answer.set_cookie(), None);
        }
        world.store.heal();
        assert_eq!(refresh(&world, &both).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn what_need_not_be_asked_of_the_store_is_not() {
    let world = new_world();
    world.sessions.revocations().ready().await;
    let (past, live) = dead_and_live(&world, Over::PastItsEnd).await;
    let over = world.sign_in().await;
    world.logout(over.refresh().as_str()).await;
    let asked = world.store.asked();
    let one = refresh(&world, &[live.refresh().as_str()]).await;
    assert_eq!(world.store.asked(), asked + 1, "one session is one write");
    world.advance(60);
    let all = [&past, over.refresh().as_str(), one.cookie_value().unwrap()];
    assert_eq!(refresh(&world, &all).await.status, StatusCode::OK);
    assert_eq!(world.store.asked(), asked + 2, "what is known to be over costs no question");
}

#[tokio::test]
async fn more_sessions_than_a_browser_can_have_are_refused_without_asking_for_each() {
    let world = new_world();
    let mut tokens = Vec::new();
    for _ in 0..9 {
        tokens.push(world.sign_in().await.refresh().as_str().to_owned());
    }
    world.advance(31 * DAY);
    let live = world.sign_in().await;
    tokens.push(live.refresh().as_str().to_owned());
    let mut tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let asked = world.store.asked();
    let answer = refresh(&world, &tokens).await;
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(answer.extensions.get(), Some(&RefreshRejection::Ambiguous));
    assert_eq!(world.store.asked(), asked);
    tokens.drain(..2);
    assert_eq!(refresh(&world, &tokens).await.status, StatusCode::OK, "eight are judged");
}

// Someone with the signing secret alone can plant a token that names the session and a later generation.
#[tokio::test]
async fn a_token_of_another_secret_does_not_hide_the_sessions_own() {
    let world = new_world();
    let tokens = world.sign_in().await;
    let own = tokens.refresh().as_str();
    let planted = forged(own, 9);
    let answer = refresh(&world, &[&planted, own]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let events = tower_jwt_auth_tests::logs::lines_with("someone holds the signing secret");
    let session = tokens.refresh().session_id().to_string();
    assert!(events.iter().any(|line| line.contains(&session) && line.contains("WARN")));
    let header = cookies(&world, &[&planted, own]);
    let logout = LogoutService::this_session(&world.sessions, world.cookie.clone());
    let answer = send_to(logout, request("POST", &[("cookie", &header)])).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(world.sessions.list("alice", None).await.unwrap().sessions.is_empty());
}

#[tokio::test]
async fn the_same_cookie_over_and_over_at_a_sign_in_is_one_question_to_the_store() {
    let world = new_world();
    let old = world.sign_in().await;
    let mut who = World::alice();
    for _ in 0..200 {
        who = who.replacing_token(old.refresh().as_str());
    }
    let asked = world.store.asked();
    let _tokens = world.sign_in_as(who).await;
    assert_eq!(world.store.asked(), asked + 2, "one session ends, one begins");
}

/// A spent token must not be asked about without consequences: where the other cookie is the thief's own, the answer
/// would say whether the session still lives.
#[tokio::test]
async fn a_spent_token_beside_a_live_one_ends_its_session() {
    let world = World::new();
    let (victim, other) = (world.sign_in().await, world.sign_in().await);
    let mut token = victim.refresh().as_str().to_owned();
    for _ in 0..2 {
        token = world.refresh(&token).await.cookie_value().unwrap().to_owned();
        world.advance(11);
    }
    let name = world.cookie.name();
    let (spent, live) = (victim.refresh().as_str(), other.refresh().as_str());
    let header = format!("{name}={spent}; {name}={live}");
    let answer = send_to(world.refresh_service(), request("POST", &[("cookie", &header)])).await;
    assert_eq!(answer.status, StatusCode::OK, "the other one counts");
    let ended = world.store.load(victim.refresh().session_id()).await.unwrap().unwrap().session;
    assert_eq!(ended.record().ended.map(|ended| ended.reason), Some(EndReason::Reuse));
}

#[tokio::test]
async fn sessions_that_are_known_to_be_over_hide_no_live_one_however_many_there_are() {
    let world = World::new();
    let mut header = String::new();
    for _ in 0..9 {
        let tokens = world.sign_in().await;
        header.push_str(&format!("{}={}; ", world.cookie.name(), tokens.refresh().as_str()));
    }
    world.sessions.end_all("alice").await.unwrap();
    let mine = world.sign_in().await;
    header.push_str(&format!("{}={}", world.cookie.name(), mine.refresh().as_str()));
    let answer = send_to(world.refresh_service(), request("POST", &[("cookie", &header)])).await;
    assert_eq!(answer.status, StatusCode::OK);
}
