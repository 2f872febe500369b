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

fn entries(most: u64) -> (Entries, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    (Entries::new(most, clock.clone()).unwrap(), clock)
}

#[test]
fn nothing_is_evicted_however_many_there_are() {
    let (entries, _) = entries(10);
    let names: Vec<_> = (0..20_000).map(|n| format!("token-{n}")).collect();
    for name in &names {
        entries.insert(&token(name, NOW + MINUTE));
    }
    entries.tidy();
    assert!(names.iter().all(|name| entries.covers(&key(name))));
}

#[test]
fn names_of_different_kinds_and_issuers_are_apart() {
    let (entries, _) = entries(10);
    entries.insert(&token("x", NOW + MINUTE));
    assert!(entries.covers(&key("x")));
    assert!(!entries.covers(&key("y")));
    assert!(!entries.covers(&RevocationKey::Token { issuer: "ix", jti: "" }));
    assert!(!entries.covers(&RevocationKey::Token { issuer: "", jti: "ix" }));
    assert!(!entries.covers(&RevocationKey::Token { issuer: "j", jti: "x" }));
    assert!(!entries.covers(&RevocationKey::Session { issuer: "i", sid: "x" }));
}

#[test]
fn an_entry_is_kept_beyond_the_last_token_by_leeway_and_margin() {
    assert_eq!(KEEP, Duration::from_secs(5 * 60 + 60), "the most leeway, and a minute");
    let (entries, clock) = entries(10);
    clock.set(NOW + KEEP - Duration::from_millis(1));
    entries.insert(&token("kept", NOW));
    assert!(entries.covers(&key("kept")));
    clock.set(NOW + KEEP);
    entries.insert(&token("over", NOW));
    assert!(!entries.covers(&key("over")));
}

/// In real time, since moka's clock is its own.
#[test]
fn an_update_extends_and_never_shortens() {
    let (entries, _) = entries(10);
    let soon = NOW - KEEP + Duration::from_millis(300);
    entries.insert(&token("extended", soon));
    entries.insert(&token("extended", NOW + MINUTE));
    entries.insert(&token("not shortened", NOW + MINUTE));
    entries.insert(&token("not shortened", soon));
    entries.insert(&token("gone", soon));
    assert!(entries.covers(&key("gone")));
    std::thread::sleep(Duration::from_millis(400));
    entries.tidy();
    assert!(entries.covers(&key("extended")));
    assert!(entries.covers(&key("not shortened")));
    assert!(!entries.covers(&key("gone")), "and what is over makes room");
}

#[test]
fn a_subjects_later_revocation_counts_and_later_tokens_live() {
    let (entries, _) = entries(10);
    let subject = |issued_before, until| Revocation::Subject {
        issuer: "i".into(),
        sub: "bob".into(),
        issued_before,
        until,
    };
    let bob = |issued_at| RevocationKey::Subject { issuer: "i", sub: "bob", issued_at };
    assert!(!entries.covers(&bob(NOW - MINUTE)));
    entries.insert(&subject(NOW, NOW + MINUTE));
    entries.insert(&subject(NOW - MINUTE, NOW + 2 * MINUTE));
    assert!(entries.covers(&bob(NOW - Duration::from_millis(1))));
    assert!(!entries.covers(&bob(NOW)));
}

#[tokio::test]
async fn without_a_log_nothing_is_revoked_and_revoking_is_an_error() {
    let list = RevocationList::none();
    list.ready().await;
    assert_eq!(list.staleness(), Some(Duration::ZERO));
    let standing = list.standing([key("x")].into_iter(), Duration::ZERO, NOW);
    assert_eq!(standing, Standing::Clear);
    assert!(list.revoke(token("x", NOW)).await.is_err());
}

fn follow(log: impl RevocationLog, policy: FollowPolicy) -> RevocationList {
    RevocationList::follow_with(log, policy.with_heartbeat(Duration::from_millis(20)).unwrap())
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

fn standing(list: &RevocationList, jti: &str) -> Standing {
    list.standing([key(jti)].into_iter(), Duration::from_secs(5), now())
}

fn now() -> Timestamp {
    SystemClock::new().now()
}

#[tokio::test]
async fn the_list_is_unknown_until_it_has_caught_up_and_follows_from_then_on() {
    let store = Arc::new(MemoryStore::new());
    store.append(&[LogEntry::Revocation(token("before", now() + MINUTE))]).await.unwrap();
    let list = follow(store.clone(), FollowPolicy::default());
    assert_eq!(list.staleness(), None);
    assert_eq!(standing(&list, "before"), Standing::Unknown);
    list.ready().await;
    assert_eq!(standing(&list, "before"), Standing::Revoked);
    assert_eq!(standing(&list, "after"), Standing::Clear);
    store.append(&[LogEntry::Revocation(token("after", now() + MINUTE))]).await.unwrap();
    until("the entry is followed", || standing(&list, "after") == Standing::Revoked).await;
    list.revoke(token("own", now() + MINUTE)).await.unwrap();
    assert_eq!(standing(&list, "own"), Standing::Revoked, "at once on this node");
}

#[tokio::test]
async fn heartbeats_keep_the_list_fresh() {
    let list = follow(MemoryStore::new(), FollowPolicy::default());
    list.ready().await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let staleness = list.staleness().unwrap();
        assert!(staleness < Duration::from_secs(2), "{staleness:?}");
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
    let list = follow(log.clone(), FollowPolicy::default());
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
    let list = follow(log.clone(), FollowPolicy::default());
    list.ready().await;
    log.broken.store(true, Ordering::SeqCst);
    until("the list is stale", || list.staleness().unwrap() > Duration::from_millis(300)).await;
    assert_eq!(
        list.standing([key("x")].into_iter(), Duration::from_millis(300), now()),
        Standing::Unknown
    );
    assert!(list.ask(&[key("x")]).await.is_err());
    log.now().append(&[LogEntry::Revocation(token("x", now() + MINUTE))]).await.unwrap();
    log.broken.store(false, Ordering::SeqCst);
    until("the entry is followed", || standing(&list, "x") == Standing::Revoked).await;
}

#[tokio::test]
async fn another_incarnation_of_the_log_is_read_whole_and_nothing_known_is_dropped() {
    let log = Arc::new(Switched::default());
    log.now().append(&[LogEntry::Revocation(token("old", now() + MINUTE))]).await.unwrap();
    let list = follow(log.clone(), FollowPolicy::default());
    list.ready().await;
    let restored = MemoryStore::new();
    restored.append(&[LogEntry::Revocation(token("new", now() + MINUTE))]).await.unwrap();
    *log.inner.lock().unwrap() = Arc::new(restored);
    until("the new log is read", || standing(&list, "new") == Standing::Revoked).await;
    assert_eq!(standing(&list, "old"), Standing::Revoked);
}

#[tokio::test]
async fn a_full_list_says_that_it_is_incomplete_until_all_fits_again() {
    let store = Arc::new(MemoryStore::new());
    let soon = || now() - KEEP + Duration::from_millis(3000);
    let log: Vec<_> =
        (0..200).map(|n| LogEntry::Revocation(token(&format!("short-{n}"), soon()))).collect();
    store.append(&log).await.unwrap();
    let policy = FollowPolicy::default()
        .with_most_entries(100)
        .with_reread(Duration::from_millis(50))
        .unwrap();
    // Pages are counted as a whole, so that a list of one page can pass the limit; the second one cannot.
    let list = follow(store.clone(), policy);
    list.ready().await;
    store.append(&[LogEntry::Revocation(token("late", now() + MINUTE))]).await.unwrap();
    until("the list is incomplete", || !list.is_complete()).await;
    assert_eq!(standing(&list, "unheard of"), Standing::Unknown);
    assert!(list.ask(&[key("late")]).await.unwrap(), "the store knows");
    until("all fits again", || list.is_complete()).await;
    until("the entry is in", || standing(&list, "late") == Standing::Revoked).await;
    assert_eq!(standing(&list, "unheard of"), Standing::Clear);
}

/// A store whose code panics is followed again, and no list is ready before it has been read.
#[tokio::test]
async fn a_follower_that_panics_is_started_anew() {
    let log = Arc::new(Switched::default());
    log.panics.store(true, Ordering::SeqCst);
    let list = follow(log.clone(), FollowPolicy::default());
    let early = tokio::time::timeout(Duration::from_millis(200), list.ready()).await;
    assert!(early.is_err(), "nothing has been read");
    log.panics.store(false, Ordering::SeqCst);
    tokio::time::timeout(Duration::from_secs(10), list.ready()).await.unwrap();
}

/// Two logs behind one address, each of which loses the other's cursors.
#[tokio::test]
async fn a_log_that_always_loses_its_cursor_does_not_keep_everything_else_waiting() {
    struct Forgetful(MemoryStore, std::sync::atomic::AtomicUsize);
    #[async_trait]
    impl RevocationLog for Forgetful {
        async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
            self.0.append(entries).await
        }
        async fn read(&self, after: Option<&Cursor>, _: usize) -> Result<LogPage, StoreError> {
            self.1.fetch_add(1, Ordering::SeqCst);
            match after {
                Some(_) => Ok(LogPage::CursorLost),
                // There always seems to be more.
                None => match self.0.read(None, 1).await? {
                    LogPage::Entries { entries, next, .. } => {
                        Ok(LogPage::Entries { entries, next, more: true })
                    }
                    other => Ok(other),
                },
            }
        }
        async fn changed(&self, _: Option<&Cursor>) -> Result<(), StoreError> {
            Ok(())
        }
        async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
            self.0.is_revoked(keys).await
        }
        async fn purge_log(&self, _: Duration, _: usize) -> Result<usize, StoreError> {
            Ok(0)
        }
    }
    let log = Arc::new(Forgetful(MemoryStore::new(), Default::default()));
    let list = follow(log.clone(), FollowPolicy::default());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let reads = log.1.load(Ordering::SeqCst);
    assert!(reads < 100, "{reads} reads in half a second");
    assert_eq!(standing(&list, "x"), Standing::Unknown);
}

/// A log of many pages, each of which takes its time, and of which every so manieth cannot be read.
struct Slow {
    inner: MemoryStore,
    page: usize,
    pause: Duration,
    fails_every: usize,
    reads: std::sync::atomic::AtomicUsize,
}

impl Slow {
    async fn with_entries(entries: usize, pause: Duration, fails_every: usize) -> Arc<Self> {
        let inner = MemoryStore::new();
        let until = now() + MINUTE;
        let log: Vec<_> = (0..entries)
            .map(|n| LogEntry::Revocation(token(&format!("slow-{n}"), until)))
            .collect();
        inner.append(&log).await.unwrap();
        Arc::new(Self { inner, page: 10, pause, fails_every, reads: Default::default() })
    }
}

#[async_trait]
impl RevocationLog for Slow {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        self.inner.append(entries).await
    }
    async fn read(&self, after: Option<&Cursor>, _: usize) -> Result<LogPage, StoreError> {
        tokio::time::sleep(self.pause).await;
        let number = self.reads.fetch_add(1, Ordering::SeqCst) + 1;
        if number.is_multiple_of(self.fails_every) {
            return Err(StoreError::unavailable("a page was lost"));
        }
        self.inner.read(after, self.page).await
    }
    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        self.inner.changed(after).await
    }
    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        self.inner.is_revoked(keys).await
    }
    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        self.inner.purge_log(older_than, limit).await
    }
}

#[tokio::test]
async fn pages_that_were_read_before_an_error_stay_read() {
    let log = Slow::with_entries(400, Duration::ZERO, 15).await;
    let list = follow(log, FollowPolicy::default());
    tokio::time::timeout(Duration::from_secs(20), list.ready()).await.expect("it gets there");
    assert_eq!(standing(&list, "slow-399"), Standing::Revoked);
}

#[tokio::test]
async fn the_end_of_the_log_is_followed_while_the_whole_is_read_again() {
    let log = Slow::with_entries(3000, Duration::from_millis(5), usize::MAX).await;
    // Some 300 pages of 5 milliseconds or more, again and again.
    let policy = FollowPolicy::default().with_reread(Duration::from_millis(10)).unwrap();
    let list = follow(log.clone(), policy);
    list.ready().await;
    for n in 0..3 {
        let name = format!("new-{n}");
        log.append(&[LogEntry::Revocation(token(&name, now() + MINUTE))]).await.unwrap();
        let begun = std::time::Instant::now();
        until("the entry is followed", || standing(&list, &name) == Standing::Revoked).await;
        let staleness = list.staleness().unwrap();
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(1000), "{took:?}: not once in a whole reading");
        assert!(staleness < Duration::from_millis(1000), "{staleness:?}");
    }
}

#[tokio::test]
async fn a_log_is_purged_of_what_is_of_no_use() {
    let store = Arc::new(MemoryStore::new());
    let old = LogEntry::Revocation(token("old", now() - Duration::from_secs(24 * 3600)));
    let recent = LogEntry::Revocation(token("recent", now() - Duration::from_secs(600)));
    store.append(&[old, recent.clone()]).await.unwrap();
    let list = follow(store.clone(), FollowPolicy::default());
    list.ready().await;
    for _ in 0..100 {
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
    let list = follow(store.clone(), FollowPolicy::default());
    list.ready().await;
    let clone = list.clone();
    drop(list);
    assert!(Arc::strong_count(&store) > 1);
    drop(clone);
    for _ in 0..100 {
        if Arc::strong_count(&store) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the follower goes on");
}
