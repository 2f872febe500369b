use std::time::Duration;

use crate::{SecretHash, Session, Timestamp};

/// How refresh tokens rotate.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth_core::RotationPolicy;
///
/// let policy = RotationPolicy::default()
///     .with_idle(Duration::from_secs(7 * 24 * 3600))
///     .with_absolute(Duration::from_secs(30 * 24 * 3600));
/// assert_eq!(policy.grace(), Duration::from_secs(10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RotationPolicy {
    grace: Duration,
    idle: Duration,
    absolute: Duration,
    late_retry: bool,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Default for RotationPolicy {
    /// A grace window of 10 seconds, late retries, 30 days idle, 90 days at most.
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(10),
            idle: 30 * DAY,
            absolute: 90 * DAY,
            late_retry: true,
        }
    }
}

impl RotationPolicy {
    /// As the default, but a token of the generation before is reuse as soon as the grace window is over.
    ///
    /// A client that lost the answer to a refresh and comes back later is then signed out.
    pub fn strict() -> Self {
        Self { late_retry: false, ..Self::default() }
    }

    /// How long after a rotation the token of the generation before is answered with the successor.
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long a session lives without being refreshed.
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// How long a session lives in any case.
    pub fn with_absolute(mut self, absolute: Duration) -> Self {
        self.absolute = absolute;
        self
    }

    /// How long after a rotation the token of the generation before is answered with the successor.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// How long a session lives without being refreshed.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// Whether a retry later than the grace window is forgiven.
    pub fn grants_late_retry(&self) -> bool {
        self.late_retry
    }

    /// How long a session lives in any case.
    pub fn absolute(&self) -> Duration {
        self.absolute
    }
}

/// What a refresh token says of itself, once its signature has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The generation that it names.
    pub generation: u64,
    /// The hash of the secret that it carries.
    pub secret_hash: SecretHash,
}

/// What becomes of a presented refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is the current one: the session moves to the next generation.
    Rotate,
    /// It was current a moment ago: answer with the token of the current generation, the very one that the
    /// winner of the race got.
    Replay,
    /// It is of the generation before and late: answer as for a replay, and let the row remember it.
    LateRetry,
    /// It was spent: the session ends, because either this client or another one is a thief.
    Reuse,
    /// It opens nothing, and nothing is ended for it.
    Refused(Refusal),
}

/// Why a presented refresh token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The session has been ended.
    Ended,
    /// The session was not refreshed for too long.
    Idle,
    /// The session has reached its absolute end.
    Expired,
    /// The secret is not the session's: whoever made the token holds the signing secret but never held a
    /// token of this session, and must not be able to end it.
    WrongSecret,
    /// The generation is ahead of the row: the store has been restored from an older backup.
    Ahead,
}

impl Session {
    /// Judges a presented refresh token: a pure function of the row, the token and the time.
    ///
    /// Any interleaving of tabs, retries and lost answers yields one lineage: there is never a second,
    /// independent child of one token.
    ///
    /// | presented | verdict |
    /// |---|---|
    /// | another secret | refused, nothing ended |
    /// | session ended, idle or past its end | refused |
    /// | the current generation | rotate |
    /// | the one before, within the grace window | replay |
    /// | the one before, later, no late retry in the generation before that | late retry |
    /// | any other older one | reuse |
    /// | a newer one | refused, nothing ended |
    pub fn present(
        &self,
        presented: &Presented,
        now: Timestamp,
        policy: &RotationPolicy,
    ) -> Verdict {
        let row = self.parts();
        if presented.secret_hash != row.secret_hash {
            return Verdict::Refused(Refusal::WrongSecret);
        }
        if row.ended.is_some() {
            return Verdict::Refused(Refusal::Ended);
        }
        if now >= row.expires_at {
            return Verdict::Refused(Refusal::Expired);
        }
        if now >= row.idle_until {
            return Verdict::Refused(Refusal::Idle);
        }
        if presented.generation > row.generation {
            return Verdict::Refused(Refusal::Ahead);
        }
        match row.generation - presented.generation {
            0 => Verdict::Rotate,
            1 if now < row.rotated_at + policy.grace => Verdict::Replay,
            1 if policy.late_retry && may_retry_late(row.late_retry, presented.generation) => {
                Verdict::LateRetry
            }
            _ => Verdict::Reuse,
        }
    }
}

/// One client may lose one answer; two generations running is a second client.
pub(crate) fn may_retry_late(granted: Option<u64>, generation: u64) -> bool {
    granted.is_none_or(|granted| granted == generation || granted < generation.saturating_sub(1))
}

#[cfg(test)]
mod tests;
