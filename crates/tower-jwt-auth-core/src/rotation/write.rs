use std::time::Duration;

use crate::{SecretHash, SessionId, SessionRecord, Timestamp};

/// One step of a session to its next generation.
#[derive(Clone, Debug)]
pub struct AdvanceRequest {
    /// The session.
    pub id: SessionId,
    /// The hash of the secret that was presented.
    pub secret_hash: SecretHash,
    /// The generation that was presented and must be current.
    pub from_generation: u64,
    /// How long after a rotation the session does not rotate again.
    pub grace: Duration,
    /// How long the session lives from now without being refreshed.
    pub idle: Duration,
    /// The `exp` of the access token that is being made with this step.
    pub access_until: Timestamp,
}

/// A retry of the generation before the current one, later than the grace window.
#[derive(Clone, Debug)]
pub struct LateRetryRequest {
    /// The session.
    pub id: SessionId,
    /// The hash of the secret that was presented.
    pub secret_hash: SecretHash,
    /// The generation that was presented: one less than the current one.
    pub generation: u64,
    /// How long after a rotation, or a late retry, its repetitions are replays.
    pub grace: Duration,
    /// In how many generations running a late retry is granted, at most.
    pub max_running: u32,
    /// The `exp` of the access token that is being made with this retry.
    pub access_until: Timestamp,
}

/// The late retries of a session that were granted in generations running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LateRetryRun {
    /// The generation that was retried last.
    pub generation: u64,
    /// How many generations running were retried, this one included; at least 1.
    pub length: u32,
}

impl LateRetryRun {
    /// Returns the run once this generation has been retried; `None` if it has been retried before.
    pub(crate) fn after(run: Option<Self>, generation: u64) -> Option<Self> {
        match run {
            Some(run) if run.generation >= generation => None,
            Some(run) if run.generation.checked_add(1) == Some(generation) => {
                Some(Self { generation, length: run.length.saturating_add(1) })
            }
            _ => Some(Self { generation, length: 1 }),
        }
    }
}

/// Whether the session rotated, or granted a late retry, less than `grace` ago. A session that has never
/// rotated has no window: its first refresh rotates.
///
/// A time that lies further ahead than `grace` is of a store whose clock was set back since. Its window would last
/// until the clock has caught up, with access tokens that are over before.
pub(super) fn is_in_window(row: &SessionRecord, now: Timestamp, grace: Duration) -> bool {
    row.generation > 0 && now < row.rotated_at + grace && row.rotated_at < now + grace
}

impl SessionRecord {
    /// Moves the row to its next generation if the step applies at this time, and returns whether it did.
    ///
    /// This is the condition and the effect of [`SessionStore::advance`](crate::SessionStore::advance), for
    /// stores that keep rows in memory under a lock, and for the model check of the rule.
    pub fn advance(&mut self, step: &AdvanceRequest, now: Timestamp) -> bool {
        let is_current =
            self.generation == step.from_generation && self.secret_hash == step.secret_hash;
        if !is_current || !self.is_live(now) || is_in_window(self, now, step.grace) {
            return false;
        }
        let Some(next) = self.generation.checked_add(1) else { return false };
        self.generation = next;
        self.rotated_at = now;
        self.idle_until = (now + step.idle).min(self.expires_at);
        self.access_until = self.access_until.max(step.access_until);
        true
    }

    /// Counts a late retry in the row if it is granted at this time, and returns whether it was.
    ///
    /// This is the condition and the effect of [`SessionStore::late_retry`](crate::SessionStore::late_retry).
    pub fn retry_late(&mut self, retry: &LateRetryRequest, now: Timestamp) -> bool {
        let is_one_behind = retry.generation.checked_add(1) == Some(self.generation)
            && self.secret_hash == retry.secret_hash;
        if !is_one_behind || !self.is_live(now) || is_in_window(self, now, retry.grace) {
            return false;
        }
        let run = LateRetryRun::after(self.late_retry, retry.generation);
        let Some(run) = run.filter(|run| run.length <= retry.max_running) else { return false };
        self.late_retry = Some(run);
        self.rotated_at = now;
        self.access_until = self.access_until.max(retry.access_until);
        true
    }
}
