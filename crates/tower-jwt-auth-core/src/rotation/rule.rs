use super::write::is_in_window;
use crate::rotation_policy::RotationPolicy;
use crate::session::{LateRetryRun, SecretHash, Session};
use crate::time::Timestamp;

/// The content of a presented refresh token whose signature has been verified.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{PresentedToken, SecretHash};
///
/// let token = PresentedToken { generation: 3, secret_hash: SecretHash::from_bytes([7; 32]) };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentedToken {
    /// The generation of the token.
    pub generation: u64,
    /// The hash of the secret that the token carries.
    pub secret_hash: SecretHash,
}

/// The outcome of [`Session::evaluate`] for a presented refresh token.
///
/// The enum is exhaustive on purpose: code that acts on an outcome must handle each of them.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::RotationOutcome;
///
/// fn is_answered(outcome: RotationOutcome) -> bool {
///     match outcome {
///         RotationOutcome::Rotate | RotationOutcome::Replay | RotationOutcome::LateRetry => true,
///         RotationOutcome::Reuse | RotationOutcome::Rejected(_) => false,
///     }
/// }
/// assert!(is_answered(RotationOutcome::Replay));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationOutcome {
    /// The token is current and the grace window is over: the session moves to the next generation.
    Rotate,
    /// The session rotated within the grace window: the answer is the token of the current generation, and nothing is
    /// written.
    Replay,
    /// The token is of the previous generation and the window is over: the answer is the token of the current
    /// generation, and the retry is counted in the record.
    LateRetry,
    /// The token is spent: the session ends, because the token may have been stolen (RFC 9700 §4.14.2).
    Reuse,
    /// The token is rejected, and the session does not end.
    Rejected(RotationRejection),
}

/// The reason for which a presented refresh token is rejected.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::RotationRejection;
///
/// fn reason(rejection: RotationRejection) -> &'static str {
///     match rejection {
///         RotationRejection::Ended | RotationRejection::Idle | RotationRejection::Expired => "over",
///         RotationRejection::WrongSecret => "forged",
///         RotationRejection::Ahead => "unknown to the store",
///     }
/// }
/// assert_eq!(reason(RotationRejection::Idle), "over");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationRejection {
    /// The session has been ended.
    Ended,
    /// The session was not refreshed within its idle lifetime.
    Idle,
    /// The session has reached the end of its absolute lifetime.
    Expired,
    /// The secret is not the session's. Whoever made the token has the signing secret but never had a token of this
    /// session, and must not be able to end it.
    WrongSecret,
    /// The generation is ahead of the record: the store has been restored from an older backup.
    Ahead,
}

impl Session {
    /// Evaluates a presented refresh token. This is a pure function of the session, the token, the time and the policy.
    ///
    /// The rules apply in this order; n is the session's generation.
    ///
    /// | now | presented | outcome |
    /// |---|---|---|
    /// | any | another secret | rejected |
    /// | session ended, idle or expired | any | rejected |
    /// | any | a generation above n | rejected |
    /// | less than `grace` from `rotated_at`, before or after it, n > 0 | n or n - 1 | replay |
    /// | otherwise | n | rotate |
    /// | otherwise | n - 1, if a late retry is allowed | late retry |
    /// | any | any other | reuse |
    ///
    /// A late retry is allowed if n - 1 has not been retried late before, and if it makes a run of at most
    /// `late_retries` consecutive generations.
    ///
    /// At most one rotation happens in a grace window. There is one lineage: a token never has two independent
    /// successors.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth_core::{
    ///     PresentedToken, RotationOutcome, RotationPolicy, SecretHash, Session, SessionId,
    ///     SessionRecord, Timestamp,
    /// };
    ///
    /// let now = Timestamp::from_unix_seconds(1_700_000_000);
    /// let (id, hash) = (SessionId::from_bytes([1; 16]), SecretHash::from_bytes([7; 32]));
    /// let session = Session::from_record(SessionRecord {
    ///     generation: 3,
    ///     ..SessionRecord::new(id, "https://shop.example", "alice", hash, now)
    /// });
    ///
    /// let policy = RotationPolicy::default();
    /// let current = PresentedToken { generation: 3, secret_hash: hash };
    /// let evaluate = |now| session.evaluate(&current, now, &policy);
    /// let end_of_window = now + policy.grace();
    /// assert_eq!(evaluate(end_of_window - Duration::from_millis(1)), RotationOutcome::Replay);
    /// assert_eq!(evaluate(end_of_window), RotationOutcome::Rotate);
    /// ```
    pub fn evaluate(
        &self,
        token: &PresentedToken,
        now: Timestamp,
        policy: &RotationPolicy,
    ) -> RotationOutcome {
        let record = self.record();
        if token.secret_hash != record.secret_hash {
            return RotationOutcome::Rejected(RotationRejection::WrongSecret);
        }
        if record.ended.is_some() {
            return RotationOutcome::Rejected(RotationRejection::Ended);
        }
        if now >= record.expires_at {
            return RotationOutcome::Rejected(RotationRejection::Expired);
        }
        if now >= record.idle_until {
            return RotationOutcome::Rejected(RotationRejection::Idle);
        }
        let Some(behind) = record.generation.checked_sub(token.generation) else {
            return RotationOutcome::Rejected(RotationRejection::Ahead);
        };
        match (behind, is_in_window(record, now, policy.grace())) {
            (0 | 1, true) => RotationOutcome::Replay,
            (0, false) => RotationOutcome::Rotate,
            (1, false) if self.may_retry_late(token.generation, policy) => {
                RotationOutcome::LateRetry
            }
            _ => RotationOutcome::Reuse,
        }
    }

    fn may_retry_late(&self, generation: u64, policy: &RotationPolicy) -> bool {
        LateRetryRun::after(self.record().late_retry, generation)
            .is_some_and(|run| run.length <= policy.late_retries())
    }
}
