use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tokio::time::{sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tower_jwt_auth_core::{
    Cursor, Heartbeat, LogEntry, LogPage, NodeId, RevocationLog, StoreError, Timestamp,
};

use crate::revocation::cache::{RETENTION, RevocationCache};
use crate::revocation::options::SyncOptions;

/// The number of entries that a call reads at first and after an error. Each full page doubles it, up to
/// [`MAX_PAGE_SIZE`]: a slow connection must transfer a page before the call times out.
const MIN_PAGE_SIZE: usize = 1000;
/// The maximum number of entries that one call reads. A store may return fewer.
const MAX_PAGE_SIZE: usize = 10_000;
/// The maximum number of entries that one call removes. Other calls may have to wait while a store removes entries.
const PURGE_BATCH_SIZE: usize = 200;
/// How long ago an entry must have expired before it is removed from the log. The margin is large because the clocks of
/// nodes may be wrong.
const PURGE_AFTER: Duration = Duration::from_secs(3600 + RETENTION.as_secs());
/// The maximum number of heartbeats that have not been read back. A log that is further behind is stale in any case.
const MAX_UNSEEN_HEARTBEATS: usize = 64;
/// The pause after an error. Each further error doubles it, up to [`MAX_RETRY_BACKOFF`].
const RETRY_BACKOFF: Duration = Duration::from_millis(100);
const MAX_RETRY_BACKOFF: Duration = Duration::from_secs(5);
/// The pause after a wake-up without a new entry. It bounds the cost of a store that wakes its readers too often.
const IDLE_WAKE_BACKOFF: Duration = Duration::from_millis(20);

/// The state that a follower shares with the list and with the follower that replaces it after a panic.
pub(super) struct FollowerShared {
    pub(super) log: Arc<dyn RevocationLog>,
    pub(super) cache: Arc<RevocationCache>,
    pub(super) options: SyncOptions,
    pub(super) node: NodeId,
    /// Whether the whole log and a heartbeat of this node have been read.
    pub(super) is_ready: watch::Sender<bool>,
    /// Requests a heartbeat before the next one is due, for a caller that waits for the list to catch up.
    pub(super) heartbeat_request: Arc<Notify>,
}

/// Keeps the list in sync with the log: reads the whole log at intervals, follows its end, and appends heartbeats to
/// measure the staleness.
pub(super) struct Follower {
    shared: Arc<FollowerShared>,
    /// The position up to which the end of the log was read. `None` until the first full resync is complete.
    tail: Option<Cursor>,
    /// The number of entries that the next call reads.
    page_size: usize,
    /// The maximum of `page_size`. Lowered by an error, and raised again when a full resync begins.
    max_page_size: usize,
    /// The full resync in progress.
    full_resync: Option<FullResync>,
    /// When the last complete full resync began.
    last_resync_begun: Option<Instant>,
    /// Whether the log may contain more entries to purge.
    is_purging: bool,
    last_heartbeat: Option<SentHeartbeat>,
    /// The heartbeats that have not been read back, the oldest first.
    unseen_heartbeats: VecDeque<SentHeartbeat>,
    /// The number of the latest heartbeat of this node that was read back.
    seen_heartbeat: Option<u64>,
    /// Whether a heartbeat was requested before the next one is due.
    is_heartbeat_requested: bool,
}

/// A reading of the whole log. It advances by one page per step, between readings of the end.
struct FullResync {
    begun: Instant,
    cursor: Option<Cursor>,
    /// The page after the cursor, if it is being read ahead.
    next_page: Option<AbortOnDropHandle<Result<LogPage, StoreError>>>,
    /// Whether an entry was skipped since this began, here or at the end of the log. It also counts if skipped at the
    /// end, because this resync may have passed the position of that entry before it was written.
    has_skipped: bool,
}

/// The result of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The next step has work to do.
    Unfinished,
    /// The step has read entries up to the end of the log.
    CaughtUp,
    /// The log had no new entries.
    Idle,
}

/// A heartbeat and the time at which it was sent.
#[derive(Clone, Copy)]
struct SentHeartbeat {
    number: u64,
    instant: Instant,
    wall_time: Timestamp,
}

impl Follower {
    pub(super) fn new(shared: Arc<FollowerShared>) -> Self {
        Self {
            shared,
            tail: None,
            page_size: MIN_PAGE_SIZE,
            max_page_size: MAX_PAGE_SIZE,
            full_resync: None,
            last_resync_begun: None,
            is_purging: false,
            last_heartbeat: None,
            unseen_heartbeats: VecDeque::new(),
            seen_heartbeat: None,
            is_heartbeat_requested: false,
        }
    }

    /// Runs until the task is aborted.
    pub(super) async fn run(mut self) {
        let mut backoff = RETRY_BACKOFF;
        loop {
            match self.step().await {
                Ok(progress) => {
                    backoff = RETRY_BACKOFF;
                    match progress {
                        // A store that always responds at once must not keep other tasks waiting.
                        Progress::Unfinished => yield_now().await,
                        Progress::CaughtUp => self.wait().await,
                        Progress::Idle => {
                            sleep(IDLE_WAKE_BACKOFF).await;
                            self.wait().await;
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the revocation log cannot be followed"
                    );
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(MAX_RETRY_BACKOFF);
                }
            }
        }
    }

    /// Sends a heartbeat if one is due, reads a page of the full resync in progress, and reads the end of the log. An
    /// error does not discard the pages before it.
    async fn step(&mut self) -> Result<Progress, StoreError> {
        let interval = self.shared.options.full_resync_interval;
        if self.full_resync.is_none()
            && self.last_resync_begun.is_none_or(|begun| begun.elapsed() >= interval)
        {
            self.max_page_size = MAX_PAGE_SIZE;
            self.full_resync = Some(FullResync {
                begun: Instant::now(),
                cursor: None,
                next_page: None,
                has_skipped: false,
            });
        }
        if self.is_heartbeat_requested
            || self.next_heartbeat().is_none_or(|due| Instant::now() >= due)
        {
            self.send_heartbeat().await?;
            self.is_heartbeat_requested = false;
        }
        self.continue_full_resync().await?;
        let has_read = self.follow_tail().await?;
        self.purge().await;
        Ok(match (self.full_resync.is_some() || self.is_purging, has_read) {
            (true, _) => Progress::Unfinished,
            (false, true) => Progress::CaughtUp,
            (false, false) => Progress::Idle,
        })
    }

    /// Reads the next page of the full resync, if one is in progress.
    async fn continue_full_resync(&mut self) -> Result<(), StoreError> {
        let Some(resync) = &mut self.full_resync else { return Ok(()) };
        let page = match (resync.next_page.take(), resync.cursor.clone()) {
            (Some(page), _) => {
                page.await.unwrap_or_else(|error| Err(StoreError::unavailable(error)))
            }
            (None, cursor) => self.shared.log.read(cursor.as_ref(), self.page_size).await,
        };
        let LogPage::Entries { entries, next, more } = self.adapt_page_size(page)? else {
            return Err(self.restart_after_lost_cursor());
        };
        // Without a tail, the list is not ready. Later resyncs are not urgent.
        let next_page = (more && self.tail.is_none()).then(|| self.read_ahead(next.clone()));
        self.apply_page(&entries);
        let Some(mut resync) = self.full_resync.take() else { return Ok(()) };
        if more {
            (resync.cursor, resync.next_page) = (Some(next), next_page);
            self.full_resync = Some(resync);
            return Ok(());
        }
        // Entries that were skipped before may have found room, now that others have expired.
        self.shared.cache.set_incomplete(resync.has_skipped);
        self.last_resync_begun = Some(resync.begun);
        self.tail.get_or_insert(next);
        self.is_purging = self.shared.options.purges_log;
        Ok(())
    }

    /// Begins to read a page, so that the store works while the page before it is inserted.
    fn read_ahead(&self, cursor: Cursor) -> AbortOnDropHandle<Result<LogPage, StoreError>> {
        let (log, limit) = (Arc::clone(&self.shared.log), self.page_size);
        let read = async move { log.read(Some(&cursor), limit).await };
        AbortOnDropHandle::new(tokio::spawn(read))
    }

    /// Chooses the size of the next page by the result of reading one, and returns that result.
    fn adapt_page_size(
        &mut self,
        page: Result<LogPage, StoreError>,
    ) -> Result<LogPage, StoreError> {
        match &page {
            Ok(LogPage::Entries { more: true, .. }) => {
                self.page_size = (self.page_size * 2).min(self.max_page_size);
            }
            Ok(_) => {}
            Err(_) => {
                self.max_page_size = (self.page_size / 2).max(MIN_PAGE_SIZE);
                self.page_size = MIN_PAGE_SIZE;
            }
        }
        page
    }

    /// Reads from the last position to the end of the log. Returns whether there were entries.
    async fn follow_tail(&mut self) -> Result<bool, StoreError> {
        let mut has_read = false;
        while self.tail.is_some() {
            let page = self.shared.log.read(self.tail.as_ref(), self.page_size).await;
            let LogPage::Entries { entries, next, more } = self.adapt_page_size(page)? else {
                return Err(self.restart_after_lost_cursor());
            };
            has_read |= !entries.is_empty();
            self.apply_page(&entries);
            self.tail = Some(next);
            if more {
                yield_now().await;
                continue;
            }
            if let Some(heartbeat) = self.take_latest_seen_heartbeat() {
                // The log accepts entries, and this reader has reached its end, past the heartbeat.
                self.shared.cache.set_fresh_as_of(heartbeat.instant, heartbeat.wall_time);
                // There is a tail, so the first full resync is complete.
                self.shared.is_ready.send_replace(true);
            }
            break;
        }
        Ok(has_read)
    }

    /// Removes the heartbeats that have been read back from the unseen ones, and returns the latest of them. A slow log
    /// may not return a heartbeat until the next one has been sent.
    fn take_latest_seen_heartbeat(&mut self) -> Option<SentHeartbeat> {
        let seen = self.seen_heartbeat?;
        let count = self.unseen_heartbeats.partition_point(|heartbeat| heartbeat.number <= seen);
        self.unseen_heartbeats.drain(..count).next_back()
    }

    /// Discards the positions, so that the whole log is read again. Returns an error, which causes a pause: if two logs
    /// alternate behind one address, every cursor is lost.
    fn restart_after_lost_cursor(&mut self) -> StoreError {
        self.tail = None;
        self.full_resync = None;
        self.last_resync_begun = None;
        StoreError::unavailable("the log has a new incarnation")
    }

    fn apply_page(&mut self, entries: &[LogEntry]) {
        let now = self.shared.options.clock.now();
        for entry in entries {
            self.apply(entry, now);
        }
        self.shared.cache.run_maintenance();
    }

    /// Inserts a revocation, or marks the list as incomplete if it has no room.
    fn apply(&mut self, entry: &LogEntry, now: Timestamp) {
        match entry {
            LogEntry::Revocation(revocation) => {
                if !self.shared.cache.insert_if_room(revocation, now) {
                    self.shared.cache.set_incomplete(true);
                    if let Some(resync) = &mut self.full_resync {
                        resync.has_skipped = true;
                    }
                }
            }
            LogEntry::Heartbeat(heartbeat) => {
                if heartbeat.node == self.shared.node {
                    self.seen_heartbeat = self.seen_heartbeat.max(Some(heartbeat.beat));
                }
            }
        }
    }

    async fn send_heartbeat(&mut self) -> Result<(), StoreError> {
        let wall_time = self.shared.options.clock.now();
        // By the clock, so that the follower that replaces one that panicked does not repeat its numbers.
        let millis = u64::try_from(wall_time.unix_millis()).unwrap_or_default();
        let number = self.last_heartbeat.map_or(millis, |last| millis.max(last.number + 1));
        let sent = SentHeartbeat { number, instant: Instant::now(), wall_time };
        let heartbeat = Heartbeat { node: self.shared.node, beat: number, at: wall_time };
        self.shared.log.append(&[LogEntry::Heartbeat(heartbeat)]).await?;
        self.last_heartbeat = Some(sent);
        if self.unseen_heartbeats.len() == MAX_UNSEEN_HEARTBEATS {
            self.unseen_heartbeats.pop_front();
        }
        self.unseen_heartbeats.push_back(sent);
        Ok(())
    }

    /// Removes a batch of expired entries from the log. A failure is harmless: a later purge removes them.
    async fn purge(&mut self) {
        if !self.is_purging {
            return;
        }
        let purged = self.shared.log.purge_log(PURGE_AFTER, PURGE_BATCH_SIZE).await;
        self.is_purging = matches!(purged, Ok(PURGE_BATCH_SIZE));
        if let Err(error) = purged {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the revocation log cannot be purged"
            );
        }
    }

    fn next_heartbeat(&self) -> Option<Instant> {
        let interval = self.shared.options.heartbeat_interval;
        self.last_heartbeat.map(|heartbeat| heartbeat.instant + interval)
    }

    /// Waits for a change of the log, the next heartbeat, or a request for an earlier one.
    async fn wait(&mut self) {
        let due = self.next_heartbeat().unwrap_or_else(Instant::now);
        let changed = async {
            if self.shared.log.changed(self.tail.as_ref()).await.is_err() {
                // The timer still causes the next reading.
                std::future::pending::<()>().await;
            }
        };
        let is_requested = tokio::select! {
            () = changed => false,
            () = sleep_until(due.into()) => false,
            () = self.shared.heartbeat_request.notified() => true,
        };
        self.is_heartbeat_requested |= is_requested;
    }
}
