//! The state of the list after pages in a given order.

use tokio::sync::{Notify, mpsc};

use super::*;

/// A log whose pages the test supplies one by one.
struct Scripted {
    appended: Mutex<Vec<LogEntry>>,
    read_begun: Notify,
    pages_tx: mpsc::UnboundedSender<LogPage>,
    pages_rx: tokio::sync::Mutex<mpsc::UnboundedReceiver<LogPage>>,
}

impl Scripted {
    /// Returns the log, and a list that follows it and begins a full resync whenever it can.
    fn followed(max_entries: u64) -> (Arc<Self>, RevocationList) {
        Self::followed_with(max_entries, Duration::from_secs(3600))
    }

    fn followed_with(
        max_entries: u64,
        heartbeat_interval: Duration,
    ) -> (Arc<Self>, RevocationList) {
        let (pages_tx, pages_rx) = mpsc::unbounded_channel();
        let (appended, read_begun) = (Mutex::default(), Notify::new());
        let log = Arc::new(Self { appended, read_begun, pages_tx, pages_rx: pages_rx.into() });
        let options = SyncOptions {
            heartbeat_interval,
            full_resync_interval: Duration::ZERO,
            max_entries,
            ..SyncOptions::default()
        };
        // Without a timeout: a page arrives when the test supplies it.
        let list = RevocationList::follow_shared(log.clone(), options).unwrap();
        (log, list)
    }

    /// Waits until the follower reads the next page: it has applied the pages before.
    async fn next_read(&self) {
        self.read_begun.notified().await;
    }

    fn supply(&self, entries: Vec<LogEntry>, more: bool) {
        let next = Cursor::new(*b"next");
        self.pages_tx.send(LogPage::Entries { entries, next, more }).unwrap();
    }

    async fn supply_when_read(&self, entries: Vec<LogEntry>, more: bool) {
        self.next_read().await;
        self.supply(entries, more);
    }
}

#[async_trait]
impl RevocationLog for Scripted {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        self.appended.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }
    async fn read(&self, _: Option<&Cursor>, _: usize) -> Result<LogPage, StoreError> {
        self.read_begun.notify_one();
        let page = self.pages_rx.lock().await.recv().await;
        page.ok_or_else(|| StoreError::unavailable("the test has ended"))
    }
    async fn changed(&self, _: Option<&Cursor>) -> Result<(), StoreError> {
        Ok(())
    }
    async fn is_revoked(&self, _: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        Err(StoreError::unavailable("not part of the test"))
    }
    async fn purge_log(&self, _: Duration, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}

fn entry(jti: &str) -> LogEntry {
    LogEntry::Revocation(token(jti, now() + MINUTE))
}

#[tokio::test]
async fn a_list_is_ready_once_its_first_heartbeat_is_read_back() {
    let (log, list) = Scripted::followed(10);
    log.supply_when_read(vec![entry("a")], false).await;
    log.next_read().await;
    assert_eq!(lookup(&list, "a"), RevocationStatus::Revoked, "the whole log has been read");
    tokio::select! {
        biased;
        () = list.ready() => panic!("the heartbeat has not been read back"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(list.staleness(), None);
    let heartbeats = log.appended.lock().unwrap().clone();
    log.supply(heartbeats, false);
    list.ready().await;
    assert!(list.staleness().is_some());
}

#[tokio::test]
async fn a_log_that_returns_each_heartbeat_after_the_next_one_still_makes_the_list_fresh() {
    // Each step sends a heartbeat and reads two pages.
    let (log, list) = Scripted::followed_with(10, Duration::ZERO);
    for _ in 0..6 {
        log.next_read().await;
        let written = log.appended.lock().unwrap().clone();
        log.supply(written[..written.len() - 1].to_vec(), false);
    }
    let ready = tokio::time::timeout(Duration::from_secs(20), list.ready()).await;
    assert!(ready.is_ok() && list.staleness().is_some());
}

#[tokio::test]
async fn an_entry_skipped_at_the_end_during_a_full_resync_keeps_the_list_incomplete() {
    let (log, list) = Scripted::followed(1);
    // The first full resync, and the end of the log.
    log.supply_when_read(vec![entry("a")], false).await;
    log.supply_when_read(vec![], false).await;
    // The second full resync has another page to read when the end of the log brings an entry without room.
    log.supply_when_read(vec![entry("a")], true).await;
    assert!(list.is_complete());
    log.supply_when_read(vec![entry("b")], false).await;
    log.next_read().await;
    assert!(!list.is_complete());
    log.supply(vec![], false);
    log.next_read().await;
    assert!(!list.is_complete(), "this full resync began before the entry was skipped");
    log.supply(vec![], false);
    // A full resync in which all entries have room.
    log.supply_when_read(vec![entry("a")], false).await;
    log.next_read().await;
    assert!(list.is_complete());
}
