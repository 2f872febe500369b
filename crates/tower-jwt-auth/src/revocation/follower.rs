use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{sleep, sleep_until};
use tower_jwt_auth_core::{
    Cursor, Heartbeat, LogEntry, LogPage, NodeId, RevocationLog, StoreError, Timestamp,
};

use super::entries::Entries;
use super::{FollowPolicy, KEEP};

/// Entries asked for at a time.
const PAGE: usize = 1000;
/// How long an entry must have been of no use to anyone before it is removed from the log: generous, since the
/// clocks of nodes may be wrong.
const GONE_FOR: Duration = Duration::from_secs(3600 + KEEP.as_secs());
/// How long to wait after an error, doubled each time up to the second one.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long to wait after being woken for nothing, so that a store which wakes too often costs little.
const CALM: Duration = Duration::from_millis(20);

/// What a follower works with; it outlives one that panics.
pub(super) struct Post {
    pub(super) log: Arc<dyn RevocationLog>,
    pub(super) entries: Arc<Entries>,
    pub(super) policy: FollowPolicy,
    pub(super) node: NodeId,
    pub(super) caught_up: watch::Sender<bool>,
}

/// Keeps the list in step with the log: reads it whole, follows its end, and writes heartbeats to know how
/// far behind it is.
pub(super) struct Follower {
    post: Arc<Post>,
    cursor: Option<Cursor>,
    /// When the whole log was last begun to be read; none while that is still to be done.
    read_whole: Option<Instant>,
    last_beat: Option<Beat>,
    /// The number of the last heartbeat of this node that was read back.
    seen_beat: Option<u64>,
}

/// A heartbeat and when it was written.
#[derive(Clone, Copy)]
struct Beat {
    number: u64,
    instant: Instant,
    wall: Timestamp,
}

impl Follower {
    pub(super) fn new(post: Arc<Post>) -> Self {
        Self { post, cursor: None, read_whole: None, last_beat: None, seen_beat: None }
    }

    /// Runs until it is aborted.
    pub(super) async fn run(mut self) {
        let mut pause = RETRY.0;
        loop {
            match self.turn().await {
                Ok(progress) => {
                    pause = RETRY.0;
                    if !progress {
                        sleep(CALM).await;
                    }
                    self.wait().await;
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

    /// Writes a heartbeat when one is due, and reads to the end; tells whether there was anything.
    async fn turn(&mut self) -> Result<bool, StoreError> {
        let reread = self.post.policy.reread;
        if self.read_whole.is_none_or(|begun| begun.elapsed() >= reread) {
            self.cursor = None;
            self.read_whole = None;
        }
        if self.next_beat().is_none_or(|due| Instant::now() >= due) {
            self.beat().await?;
        }
        let whole = self.read_whole.is_none();
        let begun = Instant::now();
        let mut left_out = false;
        let mut progress = false;
        loop {
            let page = self.post.log.read(self.cursor.as_ref(), PAGE).await?;
            let LogPage::Entries { entries, next, more } = page else {
                // Everything is read again, after a pause: two logs behind one address would lose each other's
                // cursors for ever.
                self.cursor = None;
                self.read_whole = None;
                return Err(StoreError::unavailable("the log has a new incarnation"));
            };
            progress |= !entries.is_empty();
            for entry in &entries {
                left_out |= !self.take(entry);
            }
            self.cursor = Some(next);
            self.post.entries.tidy();
            if !more {
                break;
            }
            // A store that always answers at once would keep everything else waiting.
            yield_now().await;
        }
        if let Some(beat) = self.last_beat.filter(|beat| self.seen_beat == Some(beat.number)) {
            // The log takes what is written to it, this reader sees it, and has read all that there was.
            self.post.entries.fresh_as_of(beat.instant, beat.wall);
        }
        if whole {
            // What did not fit before may fit now that entries have expired.
            self.post.entries.set_incomplete(left_out);
            self.read_whole = Some(begun);
            self.post.caught_up.send_replace(true);
            self.purge().await;
        }
        Ok(progress)
    }

    /// Takes in one entry; false when the list has not all of it.
    fn take(&mut self, entry: &LogEntry) -> bool {
        let entries = &self.post.entries;
        let is_taken = match entry {
            LogEntry::Revocation(revocation) => entries.insert_if_room(revocation),
            LogEntry::Heartbeat(heartbeat) => {
                if heartbeat.node == self.post.node {
                    self.seen_beat = Some(heartbeat.beat);
                }
                true
            }
        };
        if !is_taken {
            entries.set_incomplete(true);
        }
        is_taken
    }

    async fn beat(&mut self) -> Result<(), StoreError> {
        let wall = self.post.policy.clock.now();
        // Never the same twice, also when this is the second follower at the post.
        let millis = u64::try_from(wall.unix_millis()).unwrap_or_default();
        let number = self.last_beat.map_or(millis, |beat| millis.max(beat.number + 1));
        let beat = Beat { number, instant: Instant::now(), wall };
        let heartbeat = Heartbeat { node: self.post.node, beat: beat.number, at: beat.wall };
        self.post.log.append(&[LogEntry::Heartbeat(heartbeat)]).await?;
        self.last_beat = Some(beat);
        Ok(())
    }

    /// Removes from the log what is of no use to anyone. Failing at it does no harm.
    async fn purge(&self) {
        if !self.post.policy.purges {
            return;
        }
        loop {
            match self.post.log.purge_log(GONE_FOR, PAGE).await {
                Ok(PAGE) => yield_now().await,
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the revocation log could not be purged"
                    );
                    return;
                }
            }
        }
    }

    fn next_beat(&self) -> Option<Instant> {
        self.last_beat.map(|beat| beat.instant + self.post.policy.heartbeat)
    }

    /// Waits for a change of the log or the next heartbeat.
    async fn wait(&self) {
        let due = self.next_beat().unwrap_or_else(Instant::now);
        tokio::select! {
            changed = self.post.log.changed(self.cursor.as_ref()) => {
                if changed.is_err() {
                    // Reading on the timer goes on without being woken.
                    sleep_until(due.into()).await;
                }
            }
            () = sleep_until(due.into()) => {}
        }
    }
}
