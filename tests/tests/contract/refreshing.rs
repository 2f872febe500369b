//! The refresh endpoint: lines 34, 36 to 44, and 52's neighbours in rotation.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, StatusCode};
use tower_jwt_auth::{
    ClientInfo, Clock as _, HookError, Issuer, ManualClock, MemoryStore, RefreshContext,
    RefreshHook, RefreshKind, RefreshRejection, RefreshSecrets, Renewal, RotationPolicy,
    SessionStore, Sessions, SigningKey,
};
use tower_jwt_auth_tests::forge::decode;
use tower_jwt_auth_tests::world::{REFRESH_SECRET, request, send_to};
use tower_jwt_auth_tests::{AUDIENCE, Answer, Fault, ISSUER, Profile, START, World};

const DAY: u64 = 24 * 3600;

/// The generation of the refresh token that an answer hands out.
fn generation(answer: &Answer) -> u64 {
    decode(answer.cookie_value().expect("a cookie"), 1)["gen"].as_u64().unwrap()
}

fn assert_over(answer: &Answer, refusal: RefreshRejection) {
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(answer.extensions.get(), Some(&refusal));
    assert_eq!(answer.set_cookie(), None, "a 401 never touches the cookie");
}

#[tokio::test]
async fn only_post_is_allowed() {
    let world = World::new();
    let tokens = world.sign_in().await;
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let mut request = world.with_cookie(tokens.refresh().as_str());
        *request.method_mut() = method.parse::<Method>().unwrap();
        let answer = send_to(world.refresh_service(), request).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.header("allow"), Some("POST"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(world.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn no_cookie_is_401_with_a_bare_challenge() {
    let world = World::new();
    let answer = send_to(world.refresh_service(), request("POST", &[("cookie", "other=1")])).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.challenge(), Some(r#"Bearer realm="api""#));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    // The other refusals answer JSON, and scripts read this one in the same way.
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["error"], "missing_token");
}

#[tokio::test]
async fn what_is_no_refresh_token_of_ours_is_401_and_the_store_is_not_asked() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let good = tokens.refresh().as_str().to_owned();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other_secret = RefreshSecrets::new(&[9; 32]).unwrap();
    let issuer = |name: &str| Issuer::new(name, AUDIENCE, world.key.clone()).unwrap();
    let stranger =
        Sessions::<Profile>::new(issuer(ISSUER), other_secret, world.store.clone()).unwrap();
    let other_issuer = Sessions::<Profile>::new(
        issuer("https://other.example"),
        RefreshSecrets::new(&REFRESH_SECRET).unwrap(),
        world.store.clone(),
    )
    .unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let bad = [
        String::new(),
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        signed.to_owned(),
        format!("{signed}."),
        format!("{signed}.{flipped}{}", &signature[1..]),
        format!("{good}A"),
        format!("{good}.x"),
        "A".repeat(5000),
        stranger.start(World::alice()).await.unwrap().refresh().as_str().to_owned(),
        other_issuer.start(World::alice()).await.unwrap().refresh().as_str().to_owned(),
    ];
    let asked = world.store.asked();
    for bad in bad {
        let answer = world.refresh(&bad).await;
        assert_over(&answer, RefreshRejection::Invalid);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(world.store.asked(), asked, "a bad signature costs no question");
    assert_eq!(world.refresh(&good).await.status, StatusCode::OK, "and ends nothing");
}

#[tokio::test]
async fn every_character_of_a_refresh_token_counts() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let good = tokens.refresh().as_str();
    for at in 0..good.len() {
        let mut bad = good.as_bytes().to_vec();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        let answer = world.refresh(std::str::from_utf8(&bad).unwrap()).await;
        assert_over(&answer, RefreshRejection::Invalid);
    }
    assert_eq!(world.refresh(good).await.status, StatusCode::OK);
}

#[tokio::test]
async fn success_gives_new_tokens_and_spends_the_old_one() {
    let world = World::new();
    let tokens = world.sign_in().await;
    world.advance(100);
    let answer = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 300);
    assert_eq!(body.as_object().unwrap().len(), 3, "the refresh token is in the cookie alone");

    let (old, new) = (decode(tokens.access().as_str(), 1), decode(&answer.access_token(), 1));
    for same in ["iss", "sub", "aud", "sid", "auth_time", "scope", "client_id", "name"] {
        assert_eq!(old[same], new[same], "{same}");
    }
    assert_ne!(old["jti"], new["jti"]);
    assert_eq!(new["iat"].as_i64().unwrap(), old["iat"].as_i64().unwrap() + 100);
    assert_eq!(new["exp"].as_i64().unwrap(), new["iat"].as_i64().unwrap() + 300);
    assert_eq!(world.call(&answer.access_token()).await.body, "alice is Alice");

    assert_eq!(generation(&answer), 1);
    let old_jti = &decode(tokens.refresh().as_str(), 1)["jti"];
    assert_ne!(&decode(answer.cookie_value().unwrap(), 1)["jti"], old_jti);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_refreshes_at_once_have_one_successor() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let mut racing = Vec::new();
    for _ in 0..200 {
        let (world, token) = (world.clone(), tokens.refresh().as_str().to_owned());
        racing.push(tokio::spawn(async move { world.refresh(&token).await }));
    }
    let mut successors = HashSet::new();
    for racer in racing {
        let answer = racer.await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(world.call(&answer.access_token()).await.status, StatusCode::OK);
        successors.insert(answer.cookie_value().unwrap().to_owned());
    }
    assert_eq!(successors.len(), 1, "the very same token for all");
    let row = &world.sessions.list("alice", None).await.unwrap().sessions[0];
    assert_eq!(row.generation(), 1, "advanced once");
    let successor = successors.iter().next().unwrap();
    assert_eq!(generation(&world.refresh(successor).await), 1, "once in a grace window");
    world.advance(10);
    assert_eq!(generation(&world.refresh(successor).await), 2);
}

#[tokio::test]
async fn within_the_window_the_current_token_and_the_one_before_are_answered_with_the_current_one()
{
    let world = World::new();
    let tokens = world.sign_in().await;
    let current = world.refresh(tokens.refresh().as_str()).await;
    let current = current.cookie_value().unwrap();
    for _ in 0..3 {
        world.advance(3);
        let row = world.store.load(tokens.refresh().session_id()).await.unwrap().unwrap().session;
        for token in [tokens.refresh().as_str(), current] {
            let answer = world.refresh(token).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.cookie_value(), Some(current));
            assert_eq!(world.call(&answer.access_token()).await.status, StatusCode::OK);
        }
        let after = world.store.load(tokens.refresh().session_id()).await.unwrap().unwrap().session;
        assert_eq!(after, row, "nothing is written");
    }
    world.advance(1);
    assert_eq!(generation(&world.refresh(current).await), 2, "the window is over");
}

/// Each tab sends what the shared cookie held a moment ago, again and again, as a browser without a lock does.
#[tokio::test]
async fn any_number_of_tabs_that_refresh_again_and_again_stay_signed_in() {
    for tabs in [2, 5, 10] {
        let world = World::new();
        let tokens = world.sign_in().await;
        let mut jar = tokens.refresh().as_str().to_owned();
        for round in 0..50_u64 {
            // All have read the cookie before the first answer came.
            let held = jar.clone();
            for _ in 0..tabs {
                let answer = world.refresh(&held).await;
                assert_eq!(answer.status, StatusCode::OK, "round {round}, {tabs} tabs");
                jar = answer.cookie_value().unwrap().to_owned();
            }
            world.advance(round % 4 * 5);
        }
        let row = world.store.load(tokens.refresh().session_id()).await.unwrap().unwrap().session;
        assert!(row.generation() <= 38, "at most one rotation in a window");
    }
}

#[tokio::test]
async fn any_node_answers_a_retry_with_the_same_successor() {
    let world = World::new();
    let sibling = world.sibling();
    let tokens = world.sign_in().await;
    let first = world.refresh(tokens.refresh().as_str()).await;
    let second = sibling.refresh(tokens.refresh().as_str()).await;
    assert_eq!(first.cookie_value(), second.cookie_value());
}

// Design §4: a replay writes nothing, so its access token must not outlive what the row knows of.
#[tokio::test]
async fn the_access_token_of_a_replay_expires_with_the_winners() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let winner = world.refresh(tokens.refresh().as_str()).await;
    world.advance(9);
    let replay = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(replay.json()["expires_in"], 291);
    let exp = |answer: &Answer| decode(&answer.access_token(), 1)["exp"].clone();
    assert_eq!(exp(&replay), exp(&winner));
    // A late retry writes, and gives a whole life.
    world.advance(60);
    let late = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(late.json()["expires_in"], 300);
    let row = world.sessions.list("alice", None).await.unwrap().sessions.remove(0).into_record();
    assert_eq!(exp(&late), row.access_until.unix_seconds());
}

#[tokio::test]
async fn answers_of_one_generation_in_any_order_leave_a_working_cookie() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let answers = [
        world.refresh(tokens.refresh().as_str()).await,
        world.refresh(tokens.refresh().as_str()).await,
        world.refresh(tokens.refresh().as_str()).await,
    ];
    // Whichever arrives last is what the browser keeps.
    for answer in answers {
        let next = world.refresh(answer.cookie_value().unwrap()).await;
        assert_eq!(next.status, StatusCode::OK);
        assert_eq!(generation(&next), 1);
    }
}

#[tokio::test]
async fn a_lost_answer_locks_nobody_out_however_late_it_is_noticed() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let _lost = world.refresh(tokens.refresh().as_str()).await;
    world.advance(7 * DAY);
    let late = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(late.status, StatusCode::OK);
    assert_eq!(generation(&late), 1);
    assert_eq!(world.call(&late.access_token()).await.status, StatusCode::OK);
    // And once more, should that one be lost too: within the window that the late retry opened.
    world.advance(9);
    let again = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(again.cookie_value(), late.cookie_value());
    world.advance(1);
    let next = world.refresh(again.cookie_value().unwrap()).await;
    assert_eq!(generation(&next), 2);
}

// A thief whose late retries of one generation are not counted stays for weeks: 8,352 of them were answered once.
#[tokio::test]
async fn a_late_retry_is_granted_once_a_generation() {
    let world = World::new();
    let tokens = world.sign_in().await;
    world.refresh(tokens.refresh().as_str()).await;
    world.advance(10);
    let late = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(generation(&late), 1);
    world.advance(10);
    assert_over(&world.refresh(tokens.refresh().as_str()).await, RefreshRejection::Reuse);
    assert_over(&world.refresh(late.cookie_value().unwrap()).await, RefreshRejection::Revoked);
}

#[tokio::test]
async fn a_late_retry_in_two_generations_running_ends_the_session() {
    let world = World::new();
    let tokens = world.sign_in().await;
    world.refresh(tokens.refresh().as_str()).await;
    world.advance(11);
    let late = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(late.status, StatusCode::OK);
    let first = late.cookie_value().unwrap();
    world.advance(11);
    let second = world.refresh(first).await;
    world.advance(11);
    assert_over(&world.refresh(first).await, RefreshRejection::Reuse);
    assert_over(&world.refresh(second.cookie_value().unwrap()).await, RefreshRejection::Revoked);
}

#[tokio::test]
async fn an_honest_generation_between_two_late_retries_forgives() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let mut token = tokens.refresh().as_str().to_owned();
    for _ in 0..4 {
        let lost = world.refresh(&token).await;
        world.advance(11);
        let late = world.refresh(&token).await;
        assert_eq!(late.cookie_value(), lost.cookie_value());
        world.advance(11);
        let honest = world.refresh(late.cookie_value().unwrap()).await;
        world.advance(11);
        token = honest.cookie_value().unwrap().to_owned();
    }
    assert_eq!(world.refresh(&token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn more_late_retries_running_are_granted_where_the_policy_says_so() {
    let policy = RotationPolicy::default().with_late_retries(3);
    let world = World::new().with_sessions(|s| s.with_policy(policy.clone()).unwrap());
    let mut token = world.sign_in().await.refresh().as_str().to_owned();
    for running in 1..=4 {
        world.refresh(&token).await;
        world.advance(11);
        let late = world.refresh(&token).await;
        if running == 4 {
            assert_over(&late, RefreshRejection::Reuse);
            return;
        }
        token = late.cookie_value().unwrap().to_owned();
        world.advance(11);
    }
}

#[tokio::test]
async fn anything_older_than_the_generation_before_ends_the_session_even_in_the_window() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let first = world.refresh(tokens.refresh().as_str()).await;
    world.advance(10);
    let second = world.refresh(first.cookie_value().unwrap()).await;
    assert_eq!(generation(&second), 2);
    assert_over(&world.refresh(tokens.refresh().as_str()).await, RefreshRejection::Reuse);
    let successor = world.refresh(second.cookie_value().unwrap()).await;
    assert_over(&successor, RefreshRejection::Revoked);
    for answer in [first, second] {
        let refused = world.call(&answer.access_token()).await;
        refused.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    }
}

#[tokio::test]
async fn a_strict_policy_grants_no_late_retry() {
    let world = World::new().with_sessions(|s| s.with_policy(RotationPolicy::strict()).unwrap());
    let tokens = world.sign_in().await;
    world.refresh(tokens.refresh().as_str()).await;
    world.advance(9);
    assert_eq!(world.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
    world.advance(1);
    assert_over(&world.refresh(tokens.refresh().as_str()).await, RefreshRejection::Reuse);
}

#[tokio::test]
async fn without_a_grace_window_nothing_is_forgiven() {
    let policy = RotationPolicy::default().with_grace(Duration::ZERO);
    let world = World::new().with_sessions(|s| s.with_policy(policy).unwrap());
    let tokens = world.sign_in().await;
    let first = world.refresh(tokens.refresh().as_str()).await;
    let second = world.refresh(first.cookie_value().unwrap()).await;
    assert_eq!(generation(&second), 2, "every refresh rotates");
    assert_over(&world.refresh(first.cookie_value().unwrap()).await, RefreshRejection::Reuse);
}

#[tokio::test]
async fn the_idle_expiry_slides_and_the_absolute_end_does_not() {
    let world = World::new();
    let mut token = world.sign_in().await.refresh().as_str().to_owned();
    for _ in 0..4 {
        world.advance(20 * DAY);
        let answer = world.refresh(&token).await;
        assert_eq!(answer.status, StatusCode::OK);
        token = answer.cookie_value().unwrap().to_owned();
    }
    // Day 80: what is left is ten days, not thirty.
    let cookie = world.refresh(&token).await;
    let left = 10 * DAY;
    assert!(cookie.set_cookie().unwrap().contains(&format!("Max-Age={left}")), "{cookie:?}");
    token = cookie.cookie_value().unwrap().to_owned();
    world.advance(left - 1);
    let last = world.refresh(&token).await;
    assert_eq!(last.status, StatusCode::OK);
    world.advance(1);
    let asked = world.store.asked();
    assert_over(&world.refresh(last.cookie_value().unwrap()).await, RefreshRejection::Expired);
    assert_eq!(world.store.asked(), asked, "the token itself says so");
}

#[tokio::test]
async fn an_idle_session_is_over_and_replays_do_not_keep_it_alive() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let successor = world.refresh(tokens.refresh().as_str()).await;
    let successor = successor.cookie_value().unwrap();
    // A late retry in the last seconds, and a replay of it.
    world.advance(30 * DAY - 5);
    assert_eq!(world.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
    world.advance(4);
    assert_eq!(world.refresh(successor).await.status, StatusCode::OK);
    world.advance(1);
    assert_over(&world.refresh(successor).await, RefreshRejection::Idle);
    assert_over(&world.refresh(tokens.refresh().as_str()).await, RefreshRejection::Idle);
}

/// Does as it is told: 0 goes on, 1 changes the claims, 2 refuses, 3 fails.
struct Told(Arc<AtomicU8>);

#[async_trait]
impl RefreshHook<Profile> for Told {
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
            _ => Err(HookError::Unavailable("the directory is down".into())),
        }
    }
}

fn hooked() -> (World, Arc<AtomicU8>) {
    let told = Arc::new(AtomicU8::new(0));
    let hook = Told(told.clone());
    (World::new().with_sessions(|s| s.with_refresh_hook(hook)), told)
}

#[tokio::test]
async fn the_hook_changes_the_next_access_token_and_no_other() {
    let (world, told) = hooked();
    let tokens = world.sign_in().await;
    told.store(1, Ordering::SeqCst);
    let changed = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(world.call(&changed.access_token()).await.body, "alice is Alicia");
    assert_eq!(decode(&changed.access_token(), 1)["scope"], "read");
    told.store(0, Ordering::SeqCst);
    world.advance(10);
    let next = world.refresh(changed.cookie_value().unwrap()).await;
    assert_eq!(world.call(&next.access_token()).await.body, "alice is Alice");
    assert_eq!(decode(&next.access_token(), 1)["scope"], "read write");
}

#[tokio::test]
async fn a_hook_that_refuses_ends_the_session() {
    let (world, told) = hooked();
    let tokens = world.sign_in().await;
    told.store(2, Ordering::SeqCst);
    let answer = world.refresh(tokens.refresh().as_str()).await;
    assert_over(&answer, RefreshRejection::ByApplication);
    let refused = world.call(tokens.access().as_str()).await;
    refused.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    told.store(0, Ordering::SeqCst);
    assert_over(&world.refresh(tokens.refresh().as_str()).await, RefreshRejection::Revoked);
}

#[tokio::test]
async fn a_hook_that_fails_is_503_with_the_successor() {
    let (world, told) = hooked();
    let tokens = world.sign_in().await;
    told.store(3, Ordering::SeqCst);
    let failed = world.refresh(tokens.refresh().as_str()).await;
    failed.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    assert_eq!(failed.header("retry-after"), Some("1"));
    assert_eq!(failed.header("cache-control"), Some("no-store"));
    assert_eq!(generation(&failed), 1, "nobody is left a generation behind");
    world.advance(60);
    told.store(0, Ordering::SeqCst);
    let next = world.refresh(failed.cookie_value().unwrap()).await;
    assert_eq!(generation(&next), 2);
}

// A hook that refuses while the store is down must be asked again, not be forgotten.
#[tokio::test]
async fn a_refusal_that_the_store_did_not_take_is_503() {
    let (world, told) = hooked();
    let tokens = world.sign_in().await;
    told.store(2, Ordering::SeqCst);
    world.store.fail("end", Fault::Before);
    let failed = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    world.store.heal();
    let answer = world.refresh(failed.cookie_value().unwrap()).await;
    assert_over(&answer, RefreshRejection::ByApplication);
}

/// Remembers what it was asked.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<Seen>>>);

/// How it was answered, the user agent that asked, and the generation.
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
async fn the_hook_knows_how_the_token_was_answered_and_which_client_asks() {
    let witness = Witness::default();
    let world = World::new().with_sessions(|s| s.with_refresh_hook(witness.clone()));
    let tokens = world.sign_in().await;
    let refresh = async |agent: &str| {
        let client = ClientInfo::default().with_user_agent(agent);
        let _ = world.sessions.refresh_from(tokens.refresh().as_str(), &client).await.unwrap();
    };
    refresh("first").await;
    refresh("second").await;
    world.advance(10);
    refresh("third").await;
    let seen = witness.0.lock().unwrap().clone();
    let expected = [
        (RefreshKind::Rotated, Some("first".to_owned()), 1),
        (RefreshKind::Replayed, Some("second".to_owned()), 1),
        (RefreshKind::RetriedLate, Some("third".to_owned()), 1),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn each_refresh_leaves_an_event_with_session_subject_and_client() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let session = tokens.refresh().session_id().to_string();
    let refresh = async |agent: &str| {
        let cookie = format!("{}={}", world.cookie.name(), tokens.refresh().as_str());
        let headers = [("cookie", &*cookie), ("user-agent", agent)];
        let answer = send_to(world.refresh_service(), request("POST", &headers)).await;
        assert_eq!(answer.status, StatusCode::OK);
    };
    let assert_event = |text: &str, level: &str, agent: &str| {
        let client = format!("user_agent=\"{agent}\"");
        let parts = [level, &*session, "subject=\"alice\"", &*client];
        let events = tower_jwt_auth_tests::logs::lines_with(text);
        assert!(events.iter().any(|line| parts.iter().all(|part| line.contains(part))), "{text}");
    };
    refresh("first").await;
    assert_event("a session was refreshed", "DEBUG", "first");
    refresh("second").await;
    assert_event("a refresh was replayed", "DEBUG", "second");
    world.advance(10);
    refresh("third").await;
    assert_event("a refresh was retried late", "INFO", "third");
}

#[tokio::test]
async fn a_retry_from_another_user_agent_or_address_is_a_warning() {
    let world = World::new();
    let home = ClientInfo::default().with_user_agent("Browser/1").with_address("192.0.2.1");
    for other in [home.clone().with_user_agent("Thief/1"), home.clone().with_address("192.0.2.2")] {
        let tokens = world.sign_in_as(World::alice().with_client_info(home.clone())).await;
        let session = tokens.refresh().session_id().to_string();
        for client in [&home, &home, &other] {
            let token = tokens.refresh().as_str();
            let _ = world.sessions.refresh_from(token, client).await.unwrap();
        }
        let text = "a refresh was retried from another user agent or address";
        let events = tower_jwt_auth_tests::logs::lines_with(text);
        let mut events = events.iter().filter(|line| line.contains(&session));
        assert!(events.next().is_some_and(|line| line.contains("WARN")));
        assert!(events.next().is_none(), "the others came from where the session is");
    }
}

#[tokio::test]
async fn a_retry_without_a_user_agent_is_a_warning_where_the_session_has_one() {
    let world = World::new();
    let home = ClientInfo::default().with_user_agent("Browser/1");
    let tokens = world.sign_in_as(World::alice().with_client_info(home)).await;
    let session = tokens.refresh().session_id().to_string();
    for _ in 0..2 {
        world.refresh(tokens.refresh().as_str()).await;
    }
    let text = "a refresh was retried from another user agent or address";
    let events = tower_jwt_auth_tests::logs::lines_with(text);
    assert!(events.iter().any(|line| line.contains(&session)));
}

/// The clock of the store's server was an hour ahead and is set right, or a standby takes over.
#[tokio::test]
async fn a_store_clock_that_is_set_back_leaves_no_session_in_its_window() {
    let (node, engine) = (Arc::new(ManualClock::at(START)), Arc::new(ManualClock::at(START)));
    let key = SigningKey::generate().unwrap();
    let issuer = Issuer::new(ISSUER, AUDIENCE, key).unwrap().with_clock(node.clone());
    let store = MemoryStore::with_clock(engine.clone());
    let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    let sessions = Sessions::<Profile>::new(issuer, secrets, store).unwrap();
    let tokens = sessions.start(World::alice()).await.unwrap();
    engine.advance(Duration::from_secs(3600));
    let mut last = sessions.refresh(tokens.refresh().as_str()).await.unwrap();
    for minutes in [6, 20, 50] {
        node.set(START + Duration::from_secs(60 * minutes));
        engine.set(node.now());
        let next = sessions.refresh(last.refresh().as_str()).await.unwrap();
        assert_eq!(next.refresh().generation(), last.refresh().generation() + 1);
        assert_eq!(next.access().expires_in(), Duration::from_secs(300));
        last = next;
    }
}

#[tokio::test]
async fn a_store_out_of_reach_is_503_and_the_cookie_stays() {
    let world = World::new();
    let tokens = world.sign_in().await;
    world.store.fail("*", Fault::Before);
    let answer = world.refresh(tokens.refresh().as_str()).await;
    answer.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.set_cookie(), None);
    world.store.heal();
    assert_eq!(world.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_store_error_at_any_step_leaves_the_session_usable() {
    for method in ["advance", "load", "late_retry"] {
        for fault in [Fault::Before, Fault::After] {
            let world = World::new();
            let tokens = world.sign_in().await;
            // Rotated, the answer lost, and later than the window: all three steps are on the way.
            world.refresh(tokens.refresh().as_str()).await;
            world.advance(11);
            world.store.fail(method, fault);
            let failed = world.refresh(tokens.refresh().as_str()).await;
            assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE, "{method} {fault:?}");
            world.store.heal();
            // A client that comes back within the window: a late retry that was written counts.
            world.advance(9);
            let next = world.refresh(tokens.refresh().as_str()).await;
            assert_eq!(next.status, StatusCode::OK, "{method} {fault:?}");
            assert_eq!(generation(&next), 1);
        }
    }
}

// The write happened, the answer was lost.
#[tokio::test]
async fn a_rotation_whose_answer_was_lost_can_be_retried() {
    let world = World::new();
    let tokens = world.sign_in().await;
    world.store.fail("advance", Fault::After);
    let failed = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    world.store.heal();
    let next = world.refresh(tokens.refresh().as_str()).await;
    assert_eq!(generation(&next), 1, "the same successor");
}

#[tokio::test]
async fn a_sign_in_that_the_store_did_not_take_leaves_nothing() {
    let world = World::new();
    world.store.fail("insert", Fault::Before);
    assert!(world.sessions.start(World::alice()).await.is_err());
    world.store.heal();
    assert!(world.sessions.list("alice", None).await.unwrap().sessions.is_empty());
}

// Lifetimes are settable.
#[tokio::test]
async fn lifetimes_are_as_configured() {
    let world = World::new();
    let issuer = Issuer::new(ISSUER, AUDIENCE, world.key.clone())
        .unwrap()
        .with_clock(world.clock.clone())
        .with_access_lifetime(Duration::from_secs(60))
        .unwrap();
    let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    let policy = RotationPolicy::default()
        .with_idle(Duration::from_secs(DAY))
        .with_absolute(Duration::from_secs(2 * DAY));
    let sessions = Sessions::<Profile>::new(issuer, secrets, world.store.clone())
        .unwrap()
        .with_policy(policy)
        .unwrap();
    let tokens = sessions.start(World::alice()).await.unwrap();
    assert_eq!(tokens.access().expires_in(), Duration::from_secs(60));
    assert_eq!(tokens.refresh().valid_for(), Duration::from_secs(DAY));
    world.advance(DAY);
    assert!(sessions.refresh(tokens.refresh().as_str()).await.is_err());
}

// A refresh secret can be rotated: tokens of the previous one are accepted and answered with the new one.
#[tokio::test]
async fn refresh_tokens_of_a_previous_secret_go_on_under_the_current_one() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let issuer =
        Issuer::new(ISSUER, AUDIENCE, world.key.clone()).unwrap().with_clock(world.clock.clone());
    let current = RefreshSecrets::new(&[1; 32]).unwrap();
    let both = current.clone().with_previous(&REFRESH_SECRET).unwrap();
    let rotated = Sessions::<Profile>::new(issuer.clone(), both, world.store.clone()).unwrap();
    let next = rotated.refresh(tokens.refresh().as_str()).await.unwrap();
    let after = Sessions::<Profile>::new(issuer, current, world.store.clone()).unwrap();
    assert!(after.refresh(next.refresh().as_str()).await.is_ok());
    assert!(after.refresh(tokens.refresh().as_str()).await.is_err());
}
