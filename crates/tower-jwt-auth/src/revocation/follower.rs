use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};
use tower_jwt_auth_core::{
    Cursor, Heartbeat, LogEntry, LogPage, RevocationLog, StoreError, Timestamp, TokenId,
};

use super::FollowPolicy;
use super::entries::Entries;

/// Entries asked for at a time.
const PAGE: usize = 1000;
/// The longest that one question to the store may take: a store that hangs is out of reach.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait after an error, doubled each time up to the second one.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long to wait after being woken for nothing, so that a store which wakes too often costs little.
const CALM: Duration = Duration::from_millis(20);

/// Keeps the list in step with the log: reads it whole, follows its end, and writes heartbeats to know how
/// far behind it is.
pub(super) struct Follower {
    log: Arc<dyn RevocationLog>,
    entries: Arc<Entries>,
    policy: FollowPolicy,
    node: TokenId,
    caught_up: watch::Sender<bool>,
    cursor: Option<Cursor>,
    /// When the whole log was last begun to be read; none while that is still to be done.
    read_whole: Option<Instant>,
    last_beat: Option<Beat>,
    beats: u64,
}

/// A heartbeat and when it was written.
#[derive(Clone, Copy)]
struct Beat {
    number: u64,
    instant: Instant,
    wall: Timestamp,
}

impl Follower {
    pub(super) fn new(
        log: Arc<dyn RevocationLog>,
        entries: Arc<Entries>,
        policy: FollowPolicy,
        node: TokenId,
        caught_up: watch::Sender<bool>,
    ) -> Self {
        Self {
            log,
            entries,
            policy,
            node,
            caught_up,
            cursor: None,
            read_whole: None,
            last_beat: None,
            beats: 0,
        }
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
        if self.read_whole.is_none_or(|begun| begun.elapsed() >= self.policy.reread) {
            self.cursor = None;
            self.read_whole = None;
        }
        if self.next_beat().is_none_or(|due| Instant::now() >= due) {
            self.beat().await?;
        }
        let mut whole = self.read_whole.is_none();
        let begun = Instant::now();
        let mut left_out = false;
        let mut progress = false;
        loop {
            let page = patiently(self.log.read(self.cursor.as_ref(), PAGE)).await?;
            let (entries, next, more) = match page {
                LogPage::Entries { entries, next, more } => (entries, next, more),
                LogPage::CursorLost if self.cursor.is_some() => {
                    tracing::info!("the revocation log has a new incarnation and is read again");
                    self.cursor = None;
                    (whole, left_out) = (true, false);
                    continue;
                }
                _ => {
                    return Err(StoreError::corrupt("the log lost a cursor that it was not given"));
                }
            };
            progress |= !entries.is_empty();
            for entry in &entries {
                left_out |= !self.take(entry);
            }
            self.cursor = Some(next);
            self.entries.tidy();
            if !more {
                break;
            }
        }
        if whole {
            // What did not fit before may fit now that entries have expired.
            self.entries.set_incomplete(left_out);
            self.read_whole = Some(begun);
            self.caught_up.send_replace(true);
        }
        Ok(progress)
    }

    /// Takes in one entry; false when there was no room for it.
    fn take(&mut self, entry: &LogEntry) -> bool {
        match entry {
            LogEntry::Revocation(revocation) => self.entries.insert_if_room(revocation),
            LogEntry::Heartbeat(heartbeat) => {
                if let Some(beat) = self.last_beat
                    && heartbeat.node == self.node
                    && heartbeat.beat == beat.number
                {
                    // The log takes what is written to it, and this reader sees it.
                    self.entries.fresh_as_of(beat.instant, beat.wall);
                }
                true
            }
            // A kind that this version does not know may concern any token.
            _ => false,
        }
    }

    async fn beat(&mut self) -> Result<(), StoreError> {
        self.beats += 1;
        let beat =
            Beat { number: self.beats, instant: Instant::now(), wall: self.policy.clock.now() };
        let heartbeat = Heartbeat { node: self.node, beat: beat.number, at: beat.wall };
        patiently(self.log.append(&[LogEntry::Heartbeat(heartbeat)])).await?;
        self.last_beat = Some(beat);
        Ok(())
    }

    fn next_beat(&self) -> Option<Instant> {
        self.last_beat.map(|beat| beat.instant + self.policy.heartbeat)
    }

    /// Waits for a change of the log or the next heartbeat.
    async fn wait(&self) {
        let due = self.next_beat().unwrap_or_else(Instant::now);
        tokio::select! {
            changed = self.log.changed(self.cursor.as_ref()) => {
                if changed.is_err() {
                    // Reading on the timer goes on without being woken.
                    sleep_until(due.into()).await;
                }
            }
            () = sleep_until(due.into()) => {}
        }
    }
}

async fn patiently<T>(
    question: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match timeout(PATIENCE, question).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(StoreError::unavailable(elapsed)),
    }
}
