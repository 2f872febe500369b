use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tokio::time::{sleep, sleep_until};
use tower_jwt_auth_core::{
    Cursor, Heartbeat, LogEntry, LogPage, NodeId, RevocationLog, StoreError, Timestamp,
};

use super::cache::RevocationCache;
use super::{RETENTION, SyncOptions};

/// Entries asked for at a time.
const PAGE: usize = 1000;
/// Entries removed at a time: while a store removes them, others may have to wait.
const BATCH: usize = 200;
/// How long an entry must have been of no use to anyone before it is removed from the log: generous, since the
/// clocks of nodes may be wrong.
const PURGE_AFTER: Duration = Duration::from_secs(3600 + RETENTION.as_secs());
/// How many heartbeats may be on their way back: a log that is behind by more is stale in any case.
const MAX_UNSEEN_BEATS: usize = 64;
/// How long to wait after an error, doubled each time up to the second one.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long to wait after being woken for nothing, so that a store which wakes too often costs little.
const IDLE_WAKE_BACKOFF: Duration = Duration::from_millis(20);

/// What a follower works with; it outlives one that panics.
pub(super) struct FollowerShared {
    pub(super) log: Arc<dyn RevocationLog>,
    pub(super) entries: Arc<RevocationCache>,
    pub(super) policy: SyncOptions,
    pub(super) node: NodeId,
    /// Whether the whole log has been read, and a heartbeat of this node with it.
    pub(super) is_ready: watch::Sender<bool>,
    /// Somebody waits for the list to catch up.
    pub(super) hurry: Arc<Notify>,
}

/// Keeps the list in step with the log: reads it whole now and then, follows its end all the while, and writes
/// heartbeats to know how far behind it is.
pub(super) struct Follower {
    shared: Arc<FollowerShared>,
    /// Where the end of the log was; none before the first reading of the whole is done.
    tail: Option<Cursor>,
    /// The reading of the whole log, while one is going on.
    whole: Option<FullResync>,
    /// When the last reading of the whole log that was finished had begun.
    read_whole: Option<Instant>,
    /// Whether there may be more to purge.
    purging: bool,
    last_beat: Option<SentHeartbeat>,
    /// The heartbeats that have not been read back, the oldest first.
    unseen_beats: VecDeque<SentHeartbeat>,
    /// The number of the last heartbeat of this node that was read back.
    seen_beat: Option<u64>,
    /// Whether a heartbeat is wanted before it is due.
    is_hurried: bool,
}

/// A reading of the whole log, which goes on page by page between turns at its end.
struct FullResync {
    begun: Instant,
    cursor: Option<Cursor>,
    /// Whether an entry was left out since it began, by this reading or at the end of the log: this reading may
    /// be of a log that did not hold that entry yet.
    left_out: bool,
}

/// What a turn came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There is more to do at once.
    Unfinished,
    /// Something was read; the end is reached.
    CaughtUp,
    /// There was nothing.
    Idle,
}

/// A heartbeat and when it was written.
#[derive(Clone, Copy)]
struct SentHeartbeat {
    number: u64,
    instant: Instant,
    wall: Timestamp,
}

impl Follower {
    pub(super) fn new(shared: Arc<FollowerShared>) -> Self {
        Self {
            shared,
            tail: None,
            whole: None,
            read_whole: None,
            purging: false,
            last_beat: None,
            unseen_beats: VecDeque::new(),
            seen_beat: None,
            is_hurried: false,
        }
    }

    /// Runs until it is aborted.
    pub(super) async fn run(mut self) {
        let mut pause = RETRY.0;
        loop {
            match self.turn().await {
                Ok(turn) => {
                    pause = RETRY.0;
                    match turn {
                        // A store that always answers at once would keep everything else waiting.
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
                    sleep(pause).await;
                    pause = (pause * 2).min(RETRY.1);
                }
            }
        }
    }

    /// Writes a heartbeat when one is due, reads a page of the whole log where that is being read, and follows
    /// its end. What was read before an error stays read.
    async fn turn(&mut self) -> Result<Progress, StoreError> {
        let reread = self.shared.policy.reread;
        if self.whole.is_none() && self.read_whole.is_none_or(|begun| begun.elapsed() >= reread) {
            self.whole = Some(FullResync { begun: Instant::now(), cursor: None, left_out: false });
        }
        if self.is_hurried || self.next_beat().is_none_or(|due| Instant::now() >= due) {
            self.beat().await?;
            self.is_hurried = false;
        }
        self.read_whole().await?;
        let progress = self.follow_tail().await?;
        self.purge().await;
        Ok(match (self.whole.is_some() || self.purging, progress) {
            (true, _) => Progress::Unfinished,
            (false, true) => Progress::CaughtUp,
            (false, false) => Progress::Idle,
        })
    }

    /// Reads the next page of the whole log, if that is being read.
    async fn read_whole(&mut self) -> Result<(), StoreError> {
        let cursor = match &self.whole {
            Some(whole) => whole.cursor.as_ref(),
            None => return Ok(()),
        };
        let page = self.shared.log.read(cursor, PAGE).await?;
        let LogPage::Entries { entries, next, more } = page else { return Err(self.lost()) };
        self.take_page(&entries);
        let Some(mut whole) = self.whole.take() else { return Ok(()) };
        if more {
            whole.cursor = Some(next);
            self.whole = Some(whole);
            return Ok(());
        }
        // What did not fit before may fit now that entries have expired.
        self.shared.entries.set_incomplete(whole.left_out);
        self.read_whole = Some(whole.begun);
        self.tail.get_or_insert(next);
        self.purging = self.shared.policy.purges;
        Ok(())
    }

    /// Reads to the end of the log from where it was; tells whether there was anything.
    async fn follow_tail(&mut self) -> Result<bool, StoreError> {
        let mut progress = false;
        while self.tail.is_some() {
            let page = self.shared.log.read(self.tail.as_ref(), PAGE).await?;
            let LogPage::Entries { entries, next, more } = page else { return Err(self.lost()) };
            progress |= !entries.is_empty();
            self.take_page(&entries);
            self.tail = Some(next);
            if more {
                yield_now().await;
                continue;
            }
            if let Some(beat) = self.latest_beat_back() {
                // The log takes what is written to it, this reader sees it, and has read all that there was.
                self.shared.entries.fresh_as_of(beat.instant, beat.wall);
                // The end is followed only once the whole log has been read.
                self.shared.is_ready.send_replace(true);
            }
            break;
        }
        Ok(progress)
    }

    /// The latest heartbeat that has been read back since this was last asked. A slow log may show one only when
    /// the next has been written.
    fn latest_beat_back(&mut self) -> Option<SentHeartbeat> {
        let seen = self.seen_beat?;
        let back = self.unseen_beats.partition_point(|beat| beat.number <= seen);
        self.unseen_beats.drain(..back).next_back()
    }

    /// Everything has to be read again, after a pause: two logs behind one address would lose each other's
    /// cursors for ever.
    fn lost(&mut self) -> StoreError {
        self.tail = None;
        self.whole = None;
        self.read_whole = None;
        StoreError::unavailable("the log has a new incarnation")
    }

    /// Takes in a page.
    fn take_page(&mut self, entries: &[LogEntry]) {
        for entry in entries {
            self.take(entry);
        }
        self.shared.entries.run_maintenance();
    }

    /// Takes in one entry, or notes that the list has no room for it.
    fn take(&mut self, entry: &LogEntry) {
        match entry {
            LogEntry::Revocation(revocation) => {
                if !self.shared.entries.insert_if_room(revocation) {
                    self.shared.entries.set_incomplete(true);
                    if let Some(whole) = &mut self.whole {
                        whole.left_out = true;
                    }
                }
            }
            LogEntry::Heartbeat(heartbeat) => {
                if heartbeat.node == self.shared.node {
                    self.seen_beat = self.seen_beat.max(Some(heartbeat.beat));
                }
            }
        }
    }

    async fn beat(&mut self) -> Result<(), StoreError> {
        let wall = self.shared.policy.clock.now();
        // Never the same twice, also when this is the second follower at the shared.
        let millis = u64::try_from(wall.unix_millis()).unwrap_or_default();
        let number = self.last_beat.map_or(millis, |beat| millis.max(beat.number + 1));
        let beat = SentHeartbeat { number, instant: Instant::now(), wall };
        let heartbeat = Heartbeat { node: self.shared.node, beat: beat.number, at: beat.wall };
        self.shared.log.append(&[LogEntry::Heartbeat(heartbeat)]).await?;
        self.last_beat = Some(beat);
        if self.unseen_beats.len() == MAX_UNSEEN_BEATS {
            self.unseen_beats.pop_front();
        }
        self.unseen_beats.push_back(beat);
        Ok(())
    }

    /// Removes a batch of what is of no use to anyone, where there may be some. Failing at it does no harm.
    async fn purge(&mut self) {
        if !self.purging {
            return;
        }
        let purged = self.shared.log.purge_log(PURGE_AFTER, BATCH).await;
        self.purging = matches!(purged, Ok(BATCH));
        if let Err(error) = purged {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the revocation log could not be purged"
            );
        }
    }

    fn next_beat(&self) -> Option<Instant> {
        self.last_beat.map(|beat| beat.instant + self.shared.policy.heartbeat)
    }

    /// Waits for a change of the log, the next heartbeat, or somebody who cannot wait for it.
    async fn wait(&mut self) {
        let due = self.next_beat().unwrap_or_else(Instant::now);
        let woken = async {
            if self.shared.log.changed(self.tail.as_ref()).await.is_err() {
                // Reading on the timer goes on without being woken.
                std::future::pending::<()>().await;
            }
        };
        let hurried = tokio::select! {
            () = woken => false,
            () = sleep_until(due.into()) => false,
            () = self.shared.hurry.notified() => true,
        };
        self.is_hurried |= hurried;
    }
}
