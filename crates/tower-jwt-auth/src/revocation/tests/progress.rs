//! What the follower makes of pages in a certain order.

use tokio::sync::{Notify, mpsc};

use super::*;

/// A log whose pages are given one by one.
struct Scripted {
    appended: Mutex<Vec<LogEntry>>,
    asked: Notify,
    give: mpsc::UnboundedSender<LogPage>,
    pages: tokio::sync::Mutex<mpsc::UnboundedReceiver<LogPage>>,
}

impl Scripted {
    /// The log, and a list that follows it and reads it whole as often as it can.
    fn followed(most_entries: u64) -> (Arc<Self>, RevocationList) {
        Self::followed_with(most_entries, Duration::from_secs(3600))
    }

    fn followed_with(most_entries: u64, heartbeat: Duration) -> (Arc<Self>, RevocationList) {
        let (give, pages) = mpsc::unbounded_channel();
        let (appended, asked) = (Mutex::default(), Notify::new());
        let log = Arc::new(Self { appended, asked, give, pages: pages.into() });
        let policy = SyncOptions {
            heartbeat,
            reread: Duration::ZERO,
            most_entries,
            ..SyncOptions::default()
        };
        // No limit of time: a page is given when the test comes to it.
        let list = RevocationList::follow_shared(log.clone(), policy).unwrap();
        (log, list)
    }

    /// Waits until a page is asked for: what was given before has been taken in.
    async fn asked(&self) {
        self.asked.notified().await;
    }

    fn give(&self, entries: Vec<LogEntry>, more: bool) {
        let next = Cursor::new(*b"next");
        self.give.send(LogPage::Entries { entries, next, more }).unwrap();
    }

    async fn give_when_asked(&self, entries: Vec<LogEntry>, more: bool) {
        self.asked().await;
        self.give(entries, more);
    }
}

#[async_trait]
impl RevocationLog for Scripted {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        self.appended.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }
    async fn read(&self, _: Option<&Cursor>, _: usize) -> Result<LogPage, StoreError> {
        self.asked.notify_one();
        let page = self.pages.lock().await.recv().await;
        page.ok_or_else(|| StoreError::unavailable("the script is over"))
    }
    async fn changed(&self, _: Option<&Cursor>) -> Result<(), StoreError> {
        Ok(())
    }
    async fn is_revoked(&self, _: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        Err(StoreError::unavailable("not in the script"))
    }
    async fn purge_log(&self, _: Duration, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}

fn entry(jti: &str) -> LogEntry {
    LogEntry::Revocation(token(jti, now() + MINUTE))
}

#[tokio::test]
async fn a_list_is_ready_once_its_first_heartbeat_is_back() {
    let (log, list) = Scripted::followed(10);
    log.give_when_asked(vec![entry("a")], false).await;
    log.asked().await;
    assert_eq!(lookup(&list, "a"), RevocationStatus::Revoked, "the whole log has been read");
    tokio::select! {
        biased;
        () = list.ready() => panic!("the heartbeat is not back"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(list.staleness(), None);
    let heartbeats = log.appended.lock().unwrap().clone();
    log.give(heartbeats, false);
    list.ready().await;
    assert!(list.staleness().is_some());
}

#[tokio::test]
async fn a_log_that_shows_each_heartbeat_after_the_next_is_slow_and_not_stale_for_good() {
    // A heartbeat in every turn, which reads two pages.
    let (log, list) = Scripted::followed_with(10, Duration::ZERO);
    for _ in 0..6 {
        log.asked().await;
        let written = log.appended.lock().unwrap().clone();
        log.give(written[..written.len() - 1].to_vec(), false);
    }
    let ready = tokio::time::timeout(Duration::from_secs(20), list.ready()).await;
    assert!(ready.is_ok() && list.staleness().is_some());
}

#[tokio::test]
async fn what_is_left_out_at_the_end_while_the_whole_is_read_keeps_the_list_incomplete() {
    let (log, list) = Scripted::followed(1);
    // The whole log, and its end.
    log.give_when_asked(vec![entry("a")], false).await;
    log.give_when_asked(vec![], false).await;
    // The whole log again, of which one page is to come when the end brings what has no room.
    log.give_when_asked(vec![entry("a")], true).await;
    assert!(list.is_complete());
    log.give_when_asked(vec![entry("b")], false).await;
    log.asked().await;
    assert!(!list.is_complete());
    log.give(vec![], false);
    log.asked().await;
    assert!(!list.is_complete(), "the reading that is over began before");
    log.give(vec![], false);
    // A whole reading in which all fits.
    log.give_when_asked(vec![entry("a")], false).await;
    log.asked().await;
    assert!(list.is_complete());
}
