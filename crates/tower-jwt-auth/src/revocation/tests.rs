mod cache;
mod odd_logs;
mod progress;
mod status;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tower_jwt_auth_core::{Cursor, LogPage, ManualClock, MemoryStore};

use super::*;

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

fn follow(log: impl RevocationLog, policy: SyncOptions) -> RevocationList {
    RevocationList::follow_with_options(
        log,
        policy.with_heartbeat(Duration::from_millis(20)).unwrap(),
    )
    .unwrap()
}

/// Waits, in real time and not for ever, until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came to pass: {what}");
}

fn lookup(list: &RevocationList, jti: &str) -> RevocationStatus {
    // Long enough for a machine that is busy with something else.
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

/// A log with switches: it may take nothing, show nothing, or become another log.
#[derive(Default)]
struct Switched {
    inner: Mutex<Arc<MemoryStore>>,
    deaf: AtomicBool,
    broken: AtomicBool,
    panics: AtomicBool,
}

impl Switched {
    fn now(&self) -> Arc<MemoryStore> {
        self.inner.lock().unwrap().clone()
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.broken.load(Ordering::SeqCst) {
            true => Err(StoreError::unavailable("broken")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl RevocationLog for Switched {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        self.check()?;
        if self.deaf.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.now().append(entries).await
    }
    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        assert!(!self.panics.load(Ordering::SeqCst), "a panic of the test's own");
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
async fn a_log_that_takes_nothing_makes_the_list_stale_though_it_can_be_read() {
    let log = Arc::new(Switched::default());
    let list = follow(log.clone(), SyncOptions::default());
    list.ready().await;
    log.deaf.store(true, Ordering::SeqCst);
    let stale = || list.staleness().unwrap() > Duration::from_millis(500);
    until("the list is stale", stale).await;
    log.deaf.store(false, Ordering::SeqCst);
    until("the list is fresh", || !stale()).await;
}

#[tokio::test]
async fn a_log_out_of_reach_is_followed_again_when_it_is_back() {
    let log = Arc::new(Switched::default());
    let list = follow(log.clone(), SyncOptions::default());
    list.ready().await;
    log.broken.store(true, Ordering::SeqCst);
    until("the list is stale", || list.staleness().unwrap() > Duration::from_millis(300)).await;
    assert_eq!(
        list.lookup([key("x")].into_iter(), Duration::from_millis(300), now()),
        RevocationStatus::Unknown
    );
    assert!(list.query_store(&[key("x")]).await.is_err());
    log.now().append(&[LogEntry::Revocation(token("x", now() + MINUTE))]).await.unwrap();
    log.broken.store(false, Ordering::SeqCst);
    until("the entry is followed", || lookup(&list, "x") == RevocationStatus::Revoked).await;
}

#[tokio::test]
async fn another_incarnation_of_the_log_is_read_whole_and_nothing_known_is_dropped() {
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
async fn a_full_list_says_that_it_is_incomplete_until_all_fits_again() {
    let clock = Arc::new(ManualClock::at(NOW));
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    // On a clock that stands still entries are over in real time only, and every reading adds to it.
    let second = Duration::from_secs(1);
    let over_soon = NOW - RETENTION + second;
    let log: Vec<_> =
        (0..200).map(|n| LogEntry::Revocation(token(&format!("short-{n}"), over_soon))).collect();
    store.append(&log).await.unwrap();
    let policy = SyncOptions::default()
        .with_max_entries(100)
        .with_full_resync_interval(Duration::from_millis(50))
        .unwrap()
        .with_clock(clock.clone());
    let lookup =
        |list: &RevocationList, jti| list.lookup([key(jti)].into_iter(), MINUTE, clock.now());
    // Pages are counted as a whole, so that a list of one page can pass the limit; the second one cannot.
    let list = follow(store.clone(), policy);
    list.ready().await;
    store.append(&[LogEntry::Revocation(token("late", NOW + MINUTE))]).await.unwrap();
    until("the list is incomplete", || !list.is_complete()).await;
    assert_eq!(lookup(&list, "unheard of"), RevocationStatus::Unknown);
    assert!(list.query_store(&[key("late")]).await.unwrap(), "the store knows");
    clock.advance(second);
    until("all fits again", || list.is_complete()).await;
    until("the entry is in", || lookup(&list, "late") == RevocationStatus::Revoked).await;
    assert_eq!(lookup(&list, "unheard of"), RevocationStatus::NotRevoked);
}

/// A store whose code panics is followed again, and no list is ready before it has been read.
#[tokio::test]
async fn a_follower_that_panics_is_started_anew() {
    let log = Arc::new(Switched::default());
    log.panics.store(true, Ordering::SeqCst);
    let list = follow(log.clone(), SyncOptions::default());
    let early = tokio::time::timeout(Duration::from_millis(200), list.ready()).await;
    assert!(early.is_err(), "nothing has been read");
    log.panics.store(false, Ordering::SeqCst);
    tokio::time::timeout(Duration::from_secs(10), list.ready()).await.unwrap();
}

#[tokio::test]
async fn a_log_is_purged_of_what_is_of_no_use() {
    let store = Arc::new(MemoryStore::new());
    let old = LogEntry::Revocation(token("old", now() - Duration::from_secs(24 * 3600)));
    let recent = LogEntry::Revocation(token("recent", now() - Duration::from_secs(600)));
    store.append(&[old, recent.clone()]).await.unwrap();
    let list = follow(store.clone(), SyncOptions::default());
    list.ready().await;
    for _ in 0..2000 {
        let LogPage::Entries { entries, .. } = store.read(None, 10).await.unwrap() else {
            panic!("the log is there")
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
