mod cache;
mod odd_logs;
mod prepared;
mod progress;
mod status;
mod target_table;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tower_jwt_auth_core::{
    Clock as _, Cursor, LogEntry, LogPage, ManualClock, MemoryStore, Revocation, RevocationKey,
    RevocationLog, StoreError, SystemClock, Timestamp,
};

use super::cache::{RETENTION, RevocationCache};
use super::{RevocationList, RevocationStatus, SyncOptions, TokenStatus};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
const MINUTE: Duration = Duration::from_secs(60);

fn token(jti: &str, until: Timestamp) -> Revocation {
    Revocation::Token { issuer: "i".into(), jti: jti.into(), until }
}

fn key(jti: &str) -> RevocationKey<'_> {
    RevocationKey::Token { issuer: "i", jti }
}

#[tokio::test]
async fn without_a_log_nothing_is_revoked_and_revoking_is_an_error() {
    let list = RevocationList::none();
    list.ready().await;
    assert_eq!(list.staleness(), Some(Duration::ZERO));
    let lookup = list.lookup([key("x")].into_iter(), Duration::ZERO, NOW);
    assert_eq!(lookup, RevocationStatus::NotRevoked);
    assert!(list.revoke(token("x", NOW)).await.is_err());
}

fn follow(log: impl RevocationLog, options: SyncOptions) -> RevocationList {
    RevocationList::follow_with_options(
        log,
        options.with_heartbeat(Duration::from_millis(20)).unwrap(),
    )
    .unwrap()
}

/// Waits in real time, for at most 20 seconds, until a condition holds.
async fn until(condition: &str, holds: impl Fn() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("this did not happen: {condition}");
}

fn lookup(list: &RevocationList, jti: &str) -> RevocationStatus {
    // A long maximum staleness, for a machine that is busy.
    list.lookup([key(jti)].into_iter(), MINUTE, now())
}

fn now() -> Timestamp {
    SystemClock::new().now()
}

#[tokio::test]
async fn the_list_is_unknown_until_it_has_caught_up_and_follows_from_then_on() {
    let store = Arc::new(MemoryStore::new());
    store.append(&[LogEntry::Revocation(token("before", now() + MINUTE))]).await.unwrap();
    let list = follow(store.clone(), SyncOptions::default());
    assert_eq!(list.staleness(), None);
    assert_eq!(lookup(&list, "before"), RevocationStatus::Unknown);
    list.ready().await;
    assert_eq!(lookup(&list, "before"), RevocationStatus::Revoked);
    assert_eq!(lookup(&list, "after"), RevocationStatus::NotRevoked);
    store.append(&[LogEntry::Revocation(token("after", now() + MINUTE))]).await.unwrap();
    until("the entry is followed", || lookup(&list, "after") == RevocationStatus::Revoked).await;
    list.revoke(token("own", now() + MINUTE)).await.unwrap();
    assert_eq!(lookup(&list, "own"), RevocationStatus::Revoked, "at once on this node");
}

#[tokio::test]
async fn heartbeats_keep_the_list_fresh() {
    let clock = Arc::new(ManualClock::at(NOW));
    let list = follow(MemoryStore::new(), SyncOptions::default().with_clock(clock.clone()));
    list.ready().await;
    for _ in 0..3 {
        clock.advance(MINUTE);
        assert!(list.staleness().unwrap() >= MINUTE);
        until("a heartbeat is back", || list.staleness().unwrap() < MINUTE).await;
    }
}

/// A log with switches: it can ignore entries, fail, panic, or be replaced by another log.
#[derive(Default)]
struct Switched {
    inner: Mutex<Arc<MemoryStore>>,
    ignores_entries: AtomicBool,
    fails: AtomicBool,
    panics: AtomicBool,
}

impl Switched {
    fn now(&self) -> Arc<MemoryStore> {
        self.inner.lock().unwrap().clone()
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.fails.load(Ordering::SeqCst) {
            true => Err(StoreError::unavailable("switched off")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl RevocationLog for Switched {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        self.check()?;
        if self.ignores_entries.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.now().append(entries).await
    }
    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        assert!(!self.panics.load(Ordering::SeqCst), "a panic of the test");
        self.check()?;
        self.now().read(after, limit).await
    }
    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        self.check()?;
        self.now().changed(after).await
    }
    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        self.check()?;
        self.now().is_revoked(keys).await
    }
    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        self.check()?;
        self.now().purge_log(older_than, limit).await
    }
}

#[tokio::test]
async fn a_log_that_ignores_entries_makes_the_list_stale_even_if_it_can_be_read() {
    let log = Arc::new(Switched::default());
    let list = follow(log.clone(), SyncOptions::default());
    list.ready().await;
    log.ignores_entries.store(true, Ordering::SeqCst);
    let stale = || list.staleness().unwrap() > Duration::from_millis(500);
    until("the list is stale", stale).await;
    log.ignores_entries.store(false, Ordering::SeqCst);
    until("the list is fresh", || !stale()).await;
}

#[tokio::test]
async fn an_unavailable_log_is_followed_again_when_it_is_back() {
    let log = Arc::new(Switched::default());
    let list = follow(log.clone(), SyncOptions::default());
    list.ready().await;
    log.fails.store(true, Ordering::SeqCst);
    until("the list is stale", || list.staleness().unwrap() > Duration::from_millis(300)).await;
    assert_eq!(
        list.lookup([key("x")].into_iter(), Duration::from_millis(300), now()),
        RevocationStatus::Unknown
    );
    assert!(list.query_store(&[key("x")]).await.is_err());
    log.now().append(&[LogEntry::Revocation(token("x", now() + MINUTE))]).await.unwrap();
    log.fails.store(false, Ordering::SeqCst);
    until("the entry is followed", || lookup(&list, "x") == RevocationStatus::Revoked).await;
}

#[tokio::test]
async fn another_incarnation_of_the_log_is_read_as_a_whole_and_no_entry_is_dropped() {
    let log = Arc::new(Switched::default());
    log.now().append(&[LogEntry::Revocation(token("old", now() + MINUTE))]).await.unwrap();
    let list = follow(log.clone(), SyncOptions::default());
    list.ready().await;
    let restored = MemoryStore::new();
    restored.append(&[LogEntry::Revocation(token("new", now() + MINUTE))]).await.unwrap();
    *log.inner.lock().unwrap() = Arc::new(restored);
    until("the new log is read", || lookup(&list, "new") == RevocationStatus::Revoked).await;
    assert_eq!(lookup(&list, "old"), RevocationStatus::Revoked);
}

#[tokio::test]
async fn a_full_list_is_incomplete_until_all_entries_have_room() {
    let clock = Arc::new(ManualClock::at(NOW));
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let second = Duration::from_secs(1);
    let expired_soon = NOW - RETENTION + second;
    let log: Vec<_> = (0..200)
        .map(|n| LogEntry::Revocation(token(&format!("short-{n}"), expired_soon)))
        .collect();
    store.append(&log).await.unwrap();
    let options = SyncOptions::default()
        .with_max_entries(100)
        .with_full_resync_interval(Duration::from_millis(50))
        .unwrap()
        .with_clock(clock.clone());
    let lookup =
        |list: &RevocationList, jti| list.lookup([key(jti)].into_iter(), MINUTE, clock.now());
    let list = follow(store.clone(), options);
    list.ready().await;
    store.append(&[LogEntry::Revocation(token("late", NOW + MINUTE))]).await.unwrap();
    until("the list is incomplete", || !list.is_complete()).await;
    assert_eq!(lookup(&list, "not revoked"), RevocationStatus::Unknown);
    assert!(list.query_store(&[key("late")]).await.unwrap(), "the store has it");
    clock.advance(second);
    until("all entries have room", || list.is_complete()).await;
    until("the entry is in the list", || lookup(&list, "late") == RevocationStatus::Revoked).await;
    assert_eq!(lookup(&list, "not revoked"), RevocationStatus::NotRevoked);
}

/// The list is not ready before the store has been read.
#[tokio::test]
async fn a_follower_that_panics_is_restarted() {
    let log = Arc::new(Switched::default());
    log.panics.store(true, Ordering::SeqCst);
    let list = follow(log.clone(), SyncOptions::default());
    let early = tokio::time::timeout(Duration::from_millis(200), list.ready()).await;
    assert!(early.is_err(), "nothing has been read");
    log.panics.store(false, Ordering::SeqCst);
    tokio::time::timeout(Duration::from_secs(10), list.ready()).await.unwrap();
}

#[tokio::test]
async fn a_full_resync_purges_expired_entries() {
    let store = Arc::new(MemoryStore::new());
    let old = LogEntry::Revocation(token("old", now() - Duration::from_secs(24 * 3600)));
    let recent = LogEntry::Revocation(token("recent", now() - Duration::from_secs(600)));
    store.append(&[old, recent.clone()]).await.unwrap();
    let list = follow(store.clone(), SyncOptions::default());
    list.ready().await;
    for _ in 0..2000 {
        let LogPage::Entries { entries, .. } = store.read(None, 10).await.unwrap() else {
            panic!("the cursor was lost")
        };
        if entries.first() == Some(&recent) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the old entry is still there");
}

#[tokio::test]
async fn the_follower_ends_with_the_last_clone() {
    let store = Arc::new(MemoryStore::new());
    let list = follow(store.clone(), SyncOptions::default());
    list.ready().await;
    let clone = list.clone();
    drop(list);
    assert!(Arc::strong_count(&store) > 1);
    drop(clone);
    until("the follower ends", || Arc::strong_count(&store) == 1).await;
}
