//! The state that the readers and the task share: the published set, and whether a fetch is requested.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tower_jwt_auth_core::{Clock, Timestamp};

use super::error::FetchErrorKind;
use super::schedule::Schedule;
use super::snapshot::{Published, Snapshot, UnavailableReason};
use super::source::Fetched;
use super::status::RemoteKeySetStatus;
use crate::revision::Revision;

pub(super) struct Shared {
    pub(super) schedule: Schedule,
    pub(super) clock: Arc<dyn Clock>,
    published: ArcSwap<Published>,
    /// The changes of the published keys. A fetch that brings the same keys is not one.
    revision: Revision,
    progress: Mutex<Progress>,
    /// Wakes the task for a request.
    wake: Notify,
    /// The number of the latest fetch that has ended.
    finished: watch::Sender<u64>,
}

struct Progress {
    /// The number of fetches that have begun, which is the number of the latest one.
    begun: u64,
    is_fetching: bool,
    /// A fetch has been requested for an unknown key and has not begun.
    is_requested: bool,
    /// No fetch is requested for an unknown key before this.
    cool_until: Option<Instant>,
    next_fetch: Instant,
    consecutive_failures: u32,
    fetches: u64,
    failures: u64,
    last_success: Option<Timestamp>,
    last_failure: Option<(Timestamp, FetchErrorKind)>,
}

impl Shared {
    pub(super) fn new(schedule: Schedule, clock: Arc<dyn Clock>) -> Self {
        let published = Published {
            number: 0,
            keys: Err(UnavailableReason::Pending),
            fetched_at: Timestamp::UNIX_EPOCH,
        };
        Self {
            schedule,
            clock,
            published: ArcSwap::from_pointee(published),
            revision: Revision::default(),
            progress: Mutex::new(Progress {
                begun: 0,
                is_fetching: false,
                is_requested: false,
                cool_until: None,
                next_fetch: Instant::now(),
                consecutive_failures: 0,
                fetches: 0,
                failures: 0,
                last_success: None,
                last_failure: None,
            }),
            wake: Notify::new(),
            finished: watch::Sender::new(0),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the keys. Takes a lock only if they are unavailable.
    pub(super) fn snapshot(&self) -> Snapshot {
        let seen = self.revision.current();
        let published = self.published.load();
        let valid_until = published.fetched_at + self.schedule.max_age;
        let is_expired = self.clock.now() > valid_until;
        let retry_after = match published.keys.is_err() || is_expired {
            true => self.progress().next_fetch.duration_since(Instant::now()),
            false => Duration::ZERO,
        };
        let revision = (self.revision.clone(), seen);
        Snapshot { published, revision, is_expired, valid_until, retry_after }
    }

    /// Returns a set later than the one that has been seen. If that is the latest, waits for the fetch that is running,
    /// or requests one unless the cool-down forbids it. After the wait timeout returns the latest set.
    pub(super) async fn refresh_for_unknown_key(&self, seen_fetch: u64) -> Snapshot {
        if self.published.load().number == seen_fetch
            && let Some(number) = self.request()
        {
            let mut finished = self.finished.subscribe();
            let ended = finished.wait_for(|finished| *finished >= number);
            // The sender is in `self`, so that this ends with the fetch or by the timeout.
            let _ = timeout(self.schedule.wait_timeout, ended).await;
        }
        self.snapshot()
    }

    /// Requests a fetch for an unknown key. Returns the number of the fetch to wait for, or `None` during the
    /// cool-down.
    ///
    /// The cool-down counts requests alone, whatever their result. A scheduled fetch does not begin it: a key that was
    /// published right after one is found at once.
    fn request(&self) -> Option<u64> {
        let mut progress = self.progress();
        if progress.is_fetching {
            return Some(progress.begun);
        }
        if progress.is_requested {
            return Some(progress.begun + 1);
        }
        let now = Instant::now();
        if progress.cool_until.is_some_and(|until| now < until) {
            return None;
        }
        progress.cool_until = Some(now + self.schedule.cool_down);
        progress.is_requested = true;
        self.wake.notify_one();
        Some(progress.begun + 1)
    }

    /// Waits for keys. They may have expired by the time that this is read.
    pub(super) async fn ready(&self) {
        let mut finished = self.finished.subscribe();
        // The sender is in `self`: the channel does not close while this waits.
        let _ = finished.wait_for(|_| self.snapshot().keys().is_ok()).await;
    }

    /// Begins where a task that panicked during a fetch has ended: as if the fetch had failed.
    pub(super) fn recover(&self) {
        let mut progress = self.progress();
        if progress.is_fetching {
            progress.is_fetching = false;
            progress.consecutive_failures = progress.consecutive_failures.saturating_add(1);
            let delay = self.schedule.after_failures(progress.consecutive_failures);
            progress.next_fetch = Instant::now() + delay;
        }
    }

    /// Waits until a fetch is due or requested.
    pub(super) async fn next_turn(&self) {
        loop {
            let due = self.progress().next_fetch;
            tokio::select! {
                biased;
                () = sleep_until(due) => return,
                () = self.wake.notified() => {
                    // A scheduled fetch may have served the request.
                    if self.progress().is_requested {
                        return;
                    }
                }
            }
        }
    }

    /// Begins a fetch and returns its number.
    pub(super) fn begin(&self) -> u64 {
        let mut progress = self.progress();
        progress.begun += 1;
        progress.is_fetching = true;
        progress.is_requested = false;
        progress.begun
    }

    fn publish(&self, published: Published) {
        let before = self.published.swap(Arc::new(published));
        let is_same = match (&before.keys, &self.published.load().keys) {
            (Ok(before), Ok(now)) => before.is_same(now),
            _ => false,
        };
        if !is_same {
            self.revision.raise();
        }
    }

    /// Publishes a set and lets those who wait for it go on. Returns the time until the next fetch.
    pub(super) fn succeed(&self, number: u64, fetched: &Fetched, at: Timestamp) -> Duration {
        self.publish(Published { number, keys: Ok(fetched.keys.clone()), fetched_at: at });
        let delay = self.schedule.after_success(fetched.freshness);
        let mut progress = self.progress();
        progress.consecutive_failures = 0;
        progress.last_success = Some(at);
        self.end(progress, number, delay);
        delay
    }

    /// Records a failure. The keys stay in use, unless the set came back without any. Returns the time until the next
    /// fetch.
    pub(super) fn fail(&self, number: u64, kind: FetchErrorKind, at: Timestamp) -> Duration {
        if kind == FetchErrorKind::NoKeys {
            let keys = Err(UnavailableReason::Empty);
            self.publish(Published { number, keys, fetched_at: at });
        }
        let mut progress = self.progress();
        progress.failures += 1;
        progress.consecutive_failures = progress.consecutive_failures.saturating_add(1);
        progress.last_failure = Some((at, kind));
        let delay = self.schedule.after_failures(progress.consecutive_failures);
        self.end(progress, number, delay);
        delay
    }

    fn end(&self, mut progress: MutexGuard<'_, Progress>, number: u64, delay: Duration) {
        progress.is_fetching = false;
        progress.fetches += 1;
        progress.next_fetch = Instant::now() + delay;
        drop(progress);
        self.finished.send_replace(number);
    }

    pub(super) fn status(&self) -> RemoteKeySetStatus {
        let keys = self.snapshot().keys().map_or(0, |keys| keys.keys().count());
        let progress = self.progress();
        RemoteKeySetStatus {
            keys,
            fetches: progress.fetches,
            failures: progress.failures,
            consecutive_failures: progress.consecutive_failures,
            last_success: progress.last_success,
            last_failure: progress.last_failure,
            age: progress.last_success.map(|at| self.clock.now().since(at)),
        }
    }
}
