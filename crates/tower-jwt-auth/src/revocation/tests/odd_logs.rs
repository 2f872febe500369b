//! Logs that are slow, fail to read pages, or lose cursors.

use std::sync::atomic::AtomicUsize;

use super::*;

/// As two logs that alternate behind one address.
#[tokio::test]
async fn a_log_that_always_loses_its_cursor_does_not_block_other_tasks() {
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
                // It always claims to have more entries.
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
    let list = follow(log.clone(), SyncOptions::default());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let reads = log.1.load(Ordering::SeqCst);
    assert!(reads < 100, "{reads} reads in half a second");
    assert_eq!(lookup(&list, "x"), RevocationStatus::Unknown);
}

/// A log of many pages, each of which is read slowly, and some of which cannot be read.
struct Slow {
    inner: MemoryStore,
    page: usize,
    pause: Duration,
    failure_interval: usize,
    reads: std::sync::atomic::AtomicUsize,
}

impl Slow {
    async fn with_entries(entries: usize, pause: Duration, failure_interval: usize) -> Arc<Self> {
        let inner = MemoryStore::new();
        let until = now() + MINUTE;
        let log: Vec<_> = (0..entries)
            .map(|n| LogEntry::Revocation(token(&format!("slow-{n}"), until)))
            .collect();
        inner.append(&log).await.unwrap();
        Arc::new(Self { inner, page: 10, pause, failure_interval, reads: Default::default() })
    }
}

#[async_trait]
impl RevocationLog for Slow {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        self.inner.append(entries).await
    }
    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        tokio::time::sleep(self.pause).await;
        let number = self.reads.fetch_add(1, Ordering::SeqCst) + 1;
        if number.is_multiple_of(self.failure_interval) {
            return Err(StoreError::unavailable("a page was lost"));
        }
        self.inner.read(after, limit.min(self.page)).await
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
async fn an_error_does_not_discard_the_pages_before_it() {
    let log = Slow::with_entries(400, Duration::ZERO, 15).await;
    let list = follow(log, SyncOptions::default());
    tokio::time::timeout(Duration::from_secs(20), list.ready())
        .await
        .expect("the list becomes ready");
    assert_eq!(lookup(&list, "slow-399"), RevocationStatus::Revoked);
}

#[tokio::test]
async fn the_end_of_the_log_is_followed_during_a_full_resync() {
    let log = Slow::with_entries(3000, Duration::from_millis(5), usize::MAX).await;
    let clock = Arc::new(ManualClock::at(now()));
    // About 300 pages in each full resync, one after the other.
    let options =
        SyncOptions::default().with_full_resync_interval(Duration::from_millis(10)).unwrap();
    let list = follow(log.clone(), options.with_clock(clock.clone()));
    list.ready().await;
    for n in 0..3 {
        let jti = format!("new-{n}");
        let before = log.reads.load(Ordering::SeqCst);
        log.append(&[LogEntry::Revocation(token(&jti, now() + MINUTE))]).await.unwrap();
        clock.advance(MINUTE);
        until("the entry is followed", || lookup(&list, &jti) == RevocationStatus::Revoked).await;
        until("the list is fresh", || list.staleness().unwrap() < MINUTE).await;
        let reads = log.reads.load(Ordering::SeqCst) - before;
        assert!(reads < 100, "{reads} reads, as many as in a full resync");
    }
}

/// A log that a slow connection cannot read in long pages, because each call has a timeout.
#[tokio::test]
async fn a_page_that_is_too_long_is_read_in_shorter_ones() {
    struct Narrow(MemoryStore, Arc<AtomicUsize>);
    #[async_trait]
    impl RevocationLog for Narrow {
        async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
            self.0.append(entries).await
        }
        async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
            match limit {
                0..=1000 => self.0.read(after, limit).await,
                _ => {
                    self.1.fetch_add(1, Ordering::SeqCst);
                    Err(StoreError::unavailable("the call has timed out"))
                }
            }
        }
        async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
            self.0.changed(after).await
        }
        async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
            self.0.is_revoked(keys).await
        }
        async fn purge_log(&self, _: Duration, _: usize) -> Result<usize, StoreError> {
            Ok(0)
        }
    }
    let log = MemoryStore::new();
    let entries: Vec<_> = (0..50_000)
        .map(|n| LogEntry::Revocation(token(&format!("t{n}"), now() + MINUTE)))
        .collect();
    log.append(&entries).await.unwrap();
    let failures = Arc::new(AtomicUsize::new(0));
    let list = follow(Narrow(log, failures.clone()), SyncOptions::default());
    tokio::time::timeout(Duration::from_secs(20), list.ready()).await.expect("the list is ready");
    assert_eq!(lookup(&list, "t49999"), RevocationStatus::Revoked);
    assert!(failures.load(Ordering::SeqCst) <= 2, "{failures:?}");
}

/// A log of many entries that returns pages of any length, and heartbeats at its end.
struct Long {
    entries: u64,
    heartbeats: MemoryStore,
    limits: Mutex<Vec<usize>>,
}

#[async_trait]
impl RevocationLog for Long {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        self.heartbeats.append(entries).await
    }
    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        let number = |cursor: &Cursor| u64::from_be_bytes(cursor.as_bytes().try_into().unwrap());
        let first = after.map_or(0, number);
        let end = self.entries.min(first + limit as u64);
        let more = end < self.entries;
        if first < end {
            self.limits.lock().unwrap().push(limit);
        }
        let until = now() + MINUTE;
        let tokens = (first..end).map(|n| LogEntry::Revocation(token(&format!("t{n}"), until)));
        let mut entries: Vec<_> = tokens.collect();
        if !more {
            let LogPage::Entries { entries: heartbeats, .. } =
                self.heartbeats.read(None, 1000).await?
            else {
                panic!("the first page has no cursor")
            };
            entries.extend(heartbeats);
        }
        Ok(LogPage::Entries { entries, next: Cursor::new(end.to_be_bytes()), more })
    }
    async fn changed(&self, _: Option<&Cursor>) -> Result<(), StoreError> {
        std::future::pending().await
    }
    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        self.heartbeats.is_revoked(keys).await
    }
    async fn purge_log(&self, _: Duration, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}

#[tokio::test]
async fn pages_grow_while_a_long_log_is_read() {
    let (heartbeats, limits) = (MemoryStore::new(), Mutex::default());
    let log = Arc::new(Long { entries: 50_000, heartbeats, limits });
    let list = follow(log.clone(), SyncOptions::default());
    list.ready().await;
    for jti in ["t0", "t999", "t1000", "t2999", "t3000", "t49999"] {
        assert_eq!(lookup(&list, jti), RevocationStatus::Revoked, "{jti}");
    }
    let limits = log.limits.lock().unwrap().clone();
    assert_eq!(limits, [1000, 2000, 4000, 8000, 10_000, 10_000, 10_000, 10_000]);
}
