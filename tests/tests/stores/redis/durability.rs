//! Ends of sessions that wait for replicas.

use std::time::{Duration, Instant};

use tower_jwt_auth_core::{
    EndReason, LogEntry, RevocationLog, SessionLimit, SessionSelector, SessionStore, StoreError,
};
use tower_jwt_auth_redis::{RedisOptions, RedisStore};
use tower_jwt_auth_tests::servers::Redis;
use tower_jwt_auth_tests::util::{error_chain, until};

use super::{ANY, follow};
use crate::support::{read, revocation, session};

/// A timeout that suffices for a reachable replica, even on a slow machine.
const WITHIN: Duration = Duration::from_secs(1);
/// A timeout for a missing replica, short enough for three rounds of waiting.
const SHORT: Duration = Duration::from_millis(300);

/// Starts a primary and its replica, and returns them with a store that waits for the replica.
async fn pair() -> Option<(Redis, Redis, RedisStore)> {
    let (primary, replica) = (Redis::start(&[])?, Redis::start(&[])?);
    follow(&replica, &primary);
    let store = store_with_replicas(&primary, 1, WITHIN).await;
    Some((primary, replica, store))
}

async fn store_with_replicas(server: &Redis, count: usize, within: Duration) -> RedisStore {
    let options = RedisOptions::default().with_replicas(count, within);
    RedisStore::connect_with(&server.url(), options).await.unwrap()
}

fn assert_not_acknowledged<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let error = answer.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error_chain(&error).contains("0 of 1 replicas"), "{}", error_chain(&error));
}

#[tokio::test]
async fn an_end_is_acknowledged_once_a_replica_has_it() {
    let Some((primary, mut replica, store)) = pair().await else { return };
    let other_node = store_with_replicas(&primary, 1, WITHIN).await;
    let sessions = [session("alice"), session("alice"), session("alice")];
    for session in &sessions {
        store.insert(session, ANY).await.unwrap();
    }
    let ended = store
        .end(&SessionSelector::ById { id: sessions[0].id() }, EndReason::Logout)
        .await
        .unwrap();
    assert!(ended.is_some());
    let there = replica.cli(&["xlen", "{tower-jwt-auth}:log"]);
    assert_eq!(there.trim(), "1", "the replica has the entry when the end is acknowledged");

    replica.pause();
    let selector = SessionSelector::ById { id: sessions[1].id() };
    assert_not_acknowledged(store.end(&selector, EndReason::Logout).await);
    // The session has already ended, but the replica still lacks the entry.
    assert_not_acknowledged(store.end(&selector, EndReason::Logout).await);
    assert_not_acknowledged(other_node.end(&selector, EndReason::Logout).await);
    assert_not_acknowledged(store.append(&[LogEntry::Revocation(revocation())]).await);
    let one = SessionLimit::end_oldest(1);
    assert_not_acknowledged(store.insert(&session("alice"), one).await);
    // A call that ends nothing does not wait.
    store.insert(&session("bob"), ANY).await.unwrap();
    store.insert(&session("bob"), SessionLimit::reject_new(5)).await.unwrap();
    assert_eq!(read(&store, None).await.0.len(), 4, "the primary has all entries");

    replica.resume();
    until("the replica acknowledges", async || {
        store.end(&selector, EndReason::Logout).await.is_ok_and(|ended| ended.is_none())
    })
    .await;
}

#[tokio::test]
async fn the_configured_number_of_replicas_must_have_it() {
    let Some((primary, _replica, _)) = pair().await else { return };
    let store = store_with_replicas(&primary, 2, WITHIN).await;
    let error = store.append(&[LogEntry::Revocation(revocation())]).await.unwrap_err();
    assert!(error_chain(&error).contains("1 of 2 replicas"), "{}", error_chain(&error));
}

/// If each call waited on its own after the others, most calls would reach their timeout before they start.
#[tokio::test]
async fn without_a_replica_sessions_still_end_and_no_call_waits_long() {
    let Some((primary, mut replica, _)) = pair().await else { return };
    let store = std::sync::Arc::new(store_with_replicas(&primary, 1, SHORT).await);
    let mut sessions = Vec::new();
    for number in 0..60 {
        let new = session(&format!("user-{number}"));
        store.insert(&new, ANY).await.unwrap();
        sessions.push(new);
    }
    replica.pause();
    let begun = Instant::now();
    let mut endings = Vec::new();
    for session in &sessions {
        let (store, id) = (store.clone(), session.id());
        endings.push(tokio::spawn(async move {
            store.end(&SessionSelector::ById { id }, EndReason::Logout).await
        }));
    }
    // Other calls are not delayed.
    store.load(sessions[0].id()).await.unwrap().unwrap();
    for ending in endings {
        assert_not_acknowledged(ending.await.unwrap());
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(read(store.as_ref(), None).await.0.len(), sessions.len(), "every session has ended");
    replica.resume();
}

#[tokio::test]
async fn after_a_restore_the_replica_has_all_ends() {
    let Some((_primary, replica, store)) = pair().await else { return };
    for _ in 0..10 {
        store.insert(&session("alice"), ANY).await.unwrap();
    }
    assert_eq!(store.after_restore().await.unwrap(), 10);
    assert_eq!(replica.cli(&["xlen", "{tower-jwt-auth}:log"]).trim(), "10");
}
