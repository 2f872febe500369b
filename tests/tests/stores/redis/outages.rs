use std::time::{Duration, Instant};

use tower_jwt_auth_core::{
    EndReason, RevocationKey, RevocationLog, Session, SessionSelector, SessionStore, StoreError,
};
use tower_jwt_auth_redis::RedisStore;
use tower_jwt_auth_tests::servers::{Proxy, Redis};
use tower_jwt_auth_tests::util::until;

use super::{ANY, follow, promote};
use crate::support::{HOUR, list, read, revoke, session, step};

fn is_out_of_reach<T: std::fmt::Debug>(what: &str, answer: Result<T, StoreError>) {
    let error = answer.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{what}: {error:?}");
}

/// Each call, of which none may answer.
async fn nothing_answers(store: &RedisStore, known: &Session) {
    let issuer = "https://issuer.example";
    let sid = &*known.id().to_string();
    is_out_of_reach("load", store.load(known.id()).await);
    is_out_of_reach("list", list(store, "alice").await);
    is_out_of_reach("read", store.read(None, 10).await);
    let key = RevocationKey::Session { issuer, sid };
    is_out_of_reach("is_revoked", store.is_revoked(&[key]).await);
    is_out_of_reach("insert", store.insert(&session("bob"), ANY).await);
    is_out_of_reach("advance", store.advance(&step(known)).await);
    let selector = SessionSelector::ById { id: known.id() };
    is_out_of_reach("end", store.end(&selector, EndReason::Logout).await);
    is_out_of_reach("append", store.append(&[]).await);
    is_out_of_reach("purge_log", store.purge_log(HOUR, 10).await);
    is_out_of_reach("purge_sessions", store.purge_sessions(HOUR, 10).await);
    is_out_of_reach("after_restore", store.after_restore().await);
}

async fn new_session(store: &RedisStore) -> Session {
    let alice = session("alice");
    store.insert(&alice, ANY).await.unwrap();
    alice
}

async fn until_unchanged(store: &RedisStore, known: &Session) {
    until("the store answers again", async || store.load(known.id()).await.is_ok()).await;
    assert_eq!(store.load(known.id()).await.unwrap().unwrap().session, *known);
}

/// It may be behind, and what it says of endings out of date.
#[tokio::test]
async fn a_server_that_became_a_replica_answers_nothing() {
    let (Some(server), Some(primary)) = (Redis::start(&[]), Redis::start(&[])) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let alice = new_session(&store).await;
    // All scripts are known there.
    read(&store, None).await;
    follow(&primary, &server);
    promote(&primary);
    follow(&server, &primary);
    nothing_answers(&store, &alice).await;
    promote(&server);
    until_unchanged(&store, &alice).await;
}

#[tokio::test]
async fn a_primary_without_the_replicas_that_it_must_have_answers_nothing() {
    let Some(server) = Redis::start(&[]) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let alice = new_session(&store).await;
    server.cli(&["config", "set", "min-replicas-to-write", "1"]);
    nothing_answers(&store, &alice).await;
    server.cli(&["config", "set", "min-replicas-to-write", "0"]);
    until_unchanged(&store, &alice).await;
}

#[tokio::test]
async fn when_memory_is_full_only_signing_in_is_refused() {
    let Some(server) = Redis::start(&[]) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let alice = new_session(&store).await;
    server.cli(&["config", "set", "maxmemory", "1"]);
    is_out_of_reach("insert", store.insert(&session("bob"), ANY).await);
    RedisStore::connect(&server.url()).await.unwrap();
    let alice = store.advance(&step(&alice)).await.unwrap().unwrap();
    assert_eq!(store.load(alice.id()).await.unwrap().unwrap().session, alice);
    let revoked = revoke(&store).await;
    let selector = SessionSelector::ById { id: alice.id() };
    let ended = store.end(&selector, EndReason::Logout).await.unwrap();
    assert_eq!(read(&store, None).await.0, [revoked, ended.unwrap()]);
    store.purge_log(HOUR, 10).await.unwrap();
}

/// The connection to a server that was demoted would stay with it for ever.
#[tokio::test]
async fn a_connection_to_what_became_a_replica_is_given_up() {
    let (Some(server), Some(primary)) = (Redis::start(&[]), Redis::start(&[])) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let alice = new_session(&store).await;
    let connection = || {
        let clients = server.cli(&["client", "list"]);
        let ours = clients.lines().find(|client| client.contains("cmd=evalsha"));
        ours.map(|client| client.split_once(' ').unwrap().0.to_owned())
    };
    let first = connection().unwrap();
    follow(&server, &primary);
    is_out_of_reach("load", store.load(alice.id()).await);
    until("it is closed", async || {
        is_out_of_reach("load", store.load(alice.id()).await);
        connection().as_ref() != Some(&first)
    })
    .await;
    is_out_of_reach("load", store.load(alice.id()).await);
}

#[tokio::test]
async fn a_server_that_stands_still_is_out_of_reach_in_time() {
    let Some(mut server) = Redis::start(&[]) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let alice = new_session(&store).await;
    server.pause();
    let begun = Instant::now();
    let (first, second, third) = tokio::join!(
        store.load(alice.id()),
        store.is_revoked(&[RevocationKey::Token { issuer: "a", jti: "b" }]),
        store.read(None, 1),
    );
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    is_out_of_reach("load", first);
    is_out_of_reach("is_revoked", second);
    is_out_of_reach("read", third);
    // A connection that is made now is not answered either.
    let begun = Instant::now();
    is_out_of_reach("load", store.load(alice.id()).await);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    server.resume();
    until_unchanged(&store, &alice).await;
}

#[tokio::test]
async fn a_broken_connection_is_made_again() {
    let Some(server) = Redis::start(&[]) else { return };
    let proxy = Proxy::start(server.address());
    let store = RedisStore::connect(&format!("redis://{}/", proxy.address())).await.unwrap();
    let alice = new_session(&store).await;
    for _ in 0..3 {
        proxy.cut();
        let begun = Instant::now();
        is_out_of_reach("load", store.load(alice.id()).await);
        is_out_of_reach("load", store.load(alice.id()).await);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        proxy.mend();
        until_unchanged(&store, &alice).await;
    }
}

/// Nothing comes back, no sign that it is broken either: the old connection is not waited for again.
#[tokio::test]
async fn a_connection_that_nothing_comes_back_on_is_given_up() {
    let Some(server) = Redis::start(&[]) else { return };
    let proxy = Proxy::start(server.address());
    let store = RedisStore::connect(&format!("redis://{}/", proxy.address())).await.unwrap();
    let alice = new_session(&store).await;
    let before = proxy.connections();
    proxy.freeze();
    is_out_of_reach("load", store.load(alice.id()).await);
    is_out_of_reach("load", store.load(alice.id()).await);
    // They are open still; the one on which the first call waited has been left.
    assert!(proxy.connections() > before, "{before} {}", proxy.connections());
    proxy.mend();
    until_unchanged(&store, &alice).await;
}

#[tokio::test]
async fn what_is_written_while_nobody_watches_wakes_when_the_server_is_back() {
    let Some(server) = Redis::start(&[]) else { return };
    let proxy = Proxy::start(server.address());
    let store = RedisStore::connect(&format!("redis://{}/", proxy.address())).await.unwrap();
    let other = RedisStore::connect(&server.url()).await.unwrap();
    read(&store, None).await;
    proxy.cut();
    proxy.mend();
    let back = until("the watcher is back", async || {
        let Ok(page) = store.read(None, 100).await else { return false };
        let tower_jwt_auth_core::LogPage::Entries { next, .. } = page else { return false };
        let begun = Instant::now();
        let (changed, _) = tokio::join!(store.changed(Some(&next)), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            revoke(&other).await;
        });
        changed.unwrap();
        (Duration::from_millis(100)..Duration::from_millis(600)).contains(&begun.elapsed())
    });
    // Each attempt takes a second where nobody wakes.
    tokio::time::timeout(Duration::from_secs(60), back).await.unwrap();
}

#[tokio::test]
async fn a_server_that_refuses_is_not_connected_to_anew_at_each_call() {
    let Some(server) = Redis::start(&[]) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let known = new_session(&store).await;
    server.cli(&["config", "set", "min-replicas-to-write", "1"]);
    let made = || {
        let info = server.cli(&["info", "stats"]);
        let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.unwrap().trim().parse::<usize>().unwrap()
    };
    let before = made();
    for _ in 0..300 {
        assert!(store.load(known.id()).await.is_err());
    }
    // Some are of this test's own asking.
    assert!(made() - before < 30, "{} connections", made() - before);
    server.cli(&["config", "set", "min-replicas-to-write", "0"]);
    until_unchanged(&store, &known).await;
}
