use std::time::{Duration, Instant};

use tower_jwt_auth_core::{
    EndReason, RevocationKey, RevocationLog, Session, SessionSelector, SessionStore, StoreError,
};
use tower_jwt_auth_redis::RedisStore;
use tower_jwt_auth_tests::servers::{Proxy, Redis};
use tower_jwt_auth_tests::util::until;

use super::{ANY, follow, promote};
use crate::support::{HOUR, list, read, revoke, session, step};

fn assert_unavailable<T: std::fmt::Debug>(call: &str, answer: Result<T, StoreError>) {
    let error = answer.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{call}: {error:?}");
}

/// Asserts that every call reports the store as unavailable.
async fn assert_all_unavailable(store: &RedisStore, known: &Session) {
    let issuer = "https://issuer.example";
    let sid = &*known.id().to_string();
    assert_unavailable("load", store.load(known.id()).await);
    assert_unavailable("list", list(store, "alice").await);
    assert_unavailable("read", store.read(None, 10).await);
    let key = RevocationKey::Session { issuer, sid };
    assert_unavailable("is_revoked", store.is_revoked(&[key]).await);
    assert_unavailable("insert", store.insert(&session("bob"), ANY).await);
    assert_unavailable("advance", store.advance(&step(known)).await);
    let selector = SessionSelector::ById { id: known.id() };
    assert_unavailable("end", store.end(&selector, EndReason::Logout).await);
    assert_unavailable("append", store.append(&[]).await);
    assert_unavailable("purge_log", store.purge_log(HOUR, 10).await);
    assert_unavailable("purge_sessions", store.purge_sessions(HOUR, 10).await);
    assert_unavailable("after_restore", store.after_restore().await);
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

/// The replica may be behind, so its answers about revocations may be out of date.
#[tokio::test]
async fn every_call_fails_on_a_server_that_became_a_replica() {
    let (Some(server), Some(primary)) = (Redis::start(&[]), Redis::start(&[])) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let alice = new_session(&store).await;
    // After this read the server has cached all scripts.
    read(&store, None).await;
    follow(&primary, &server);
    promote(&primary);
    follow(&server, &primary);
    assert_all_unavailable(&store, &alice).await;
    promote(&server);
    until_unchanged(&store, &alice).await;
}

#[tokio::test]
async fn every_call_fails_on_a_primary_without_its_required_replicas() {
    let Some(server) = Redis::start(&[]) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let alice = new_session(&store).await;
    server.cli(&["config", "set", "min-replicas-to-write", "1"]);
    assert_all_unavailable(&store, &alice).await;
    server.cli(&["config", "set", "min-replicas-to-write", "0"]);
    until_unchanged(&store, &alice).await;
}

#[tokio::test]
async fn with_full_memory_only_sign_ins_are_refused() {
    let Some(server) = Redis::start(&[]) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let alice = new_session(&store).await;
    server.cli(&["config", "set", "maxmemory", "1"]);
    assert_unavailable("insert", store.insert(&session("bob"), ANY).await);
    RedisStore::connect(&server.url()).await.unwrap();
    let alice = store.advance(&step(&alice)).await.unwrap().unwrap();
    assert_eq!(store.load(alice.id()).await.unwrap().unwrap().session, alice);
    let revoked = revoke(&store).await;
    let selector = SessionSelector::ById { id: alice.id() };
    let ended = store.end(&selector, EndReason::Logout).await.unwrap();
    assert_eq!(read(&store, None).await.0, [revoked, ended.unwrap()]);
    store.purge_log(HOUR, 10).await.unwrap();
}

/// Otherwise the connection to the demoted server would stay open indefinitely.
#[tokio::test]
async fn a_connection_to_a_demoted_server_is_closed() {
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
    assert_unavailable("load", store.load(alice.id()).await);
    until("the connection is closed", async || {
        assert_unavailable("load", store.load(alice.id()).await);
        connection().as_ref() != Some(&first)
    })
    .await;
    assert_unavailable("load", store.load(alice.id()).await);
}

#[tokio::test]
async fn a_paused_server_is_unavailable_within_the_timeout() {
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
    assert_unavailable("load", first);
    assert_unavailable("is_revoked", second);
    assert_unavailable("read", third);
    // A new connection is not answered either.
    let begun = Instant::now();
    assert_unavailable("load", store.load(alice.id()).await);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    server.resume();
    until_unchanged(&store, &alice).await;
}

#[tokio::test]
async fn a_broken_connection_is_reestablished() {
    let Some(server) = Redis::start(&[]) else { return };
    let proxy = Proxy::start(server.address());
    let store = RedisStore::connect(&format!("redis://{}/", proxy.address())).await.unwrap();
    let alice = new_session(&store).await;
    for _ in 0..3 {
        proxy.cut();
        let begun = Instant::now();
        assert_unavailable("load", store.load(alice.id()).await);
        assert_unavailable("load", store.load(alice.id()).await);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        proxy.mend();
        until_unchanged(&store, &alice).await;
    }
}

/// The old connection returns neither data nor an error, so later calls do not wait for it again.
#[tokio::test]
async fn a_connection_without_responses_is_replaced() {
    let Some(server) = Redis::start(&[]) else { return };
    let proxy = Proxy::start(server.address());
    let store = RedisStore::connect(&format!("redis://{}/", proxy.address())).await.unwrap();
    let alice = new_session(&store).await;
    let before = proxy.connections();
    proxy.freeze();
    assert_unavailable("load", store.load(alice.id()).await);
    assert_unavailable("load", store.load(alice.id()).await);
    // The connections are still open. The store has abandoned the one on which the first call waited.
    assert!(proxy.connections() > before, "{before} {}", proxy.connections());
    proxy.mend();
    until_unchanged(&store, &alice).await;
}

#[tokio::test]
async fn readers_are_woken_again_after_an_outage() {
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
    // An attempt without a wakeup takes a second.
    tokio::time::timeout(Duration::from_secs(60), back).await.unwrap();
}

#[tokio::test]
async fn a_server_that_rejects_calls_is_not_reconnected_to_at_each_call() {
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
    // Some of them are the test's own.
    assert!(made() - before < 30, "{} connections", made() - before);
    server.cli(&["config", "set", "min-replicas-to-write", "0"]);
    until_unchanged(&store, &known).await;
}
