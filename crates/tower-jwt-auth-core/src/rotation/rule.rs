use super::RotationPolicy;
use super::write::{LateRetryRun, is_in_window};
use crate::{SecretHash, Session, Timestamp};

/// What a refresh token says of itself, once its signature has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentedToken {
    /// The generation that it names.
    pub generation: u64,
    /// The hash of the secret that it carries.
    pub secret_hash: SecretHash,
}

/// The outcome of a presented refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationOutcome {
    /// The token is the current one, and the grace window is over: the session moves to the next generation.
    Rotate,
    /// The session rotated within the grace window: the answer is the token of the current generation, and
    /// nothing is written.
    Replay,
    /// The token is of the generation before, and the window is over: the answer is the token of the current
    /// generation, and the row counts the retry.
    LateRetry,
    /// The token was spent: the session ends, because this client or another one is a thief.
    Reuse,
    /// The token opens nothing, and nothing is ended for it.
    Rejected(RotationRejection),
}

/// Why a presented refresh token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationRejection {
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
    /// The rules apply in this order; n is the session's generation.
    ///
    /// | now | presented | verdict |
    /// |---|---|---|
    /// | any | another secret | refused, nothing ended |
    /// | session ended, idle or past its end | any | refused |
    /// | any | a generation above n | refused, nothing ended |
    /// | less than `grace` from `rotated_at`, before or after it, n > 0 | n or n - 1 | replay |
    /// | otherwise | n | rotate |
    /// | otherwise | n - 1, none granted in n, and in fewer than `late_retries` generations running before | late retry |
    /// | any | any other | reuse |
    ///
    /// At most one rotation happens in a grace window, and there is one lineage: never a second, independent
    /// child of one token.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth_core::{PresentedToken, RotationPolicy, Session, RotationOutcome};
    ///
    /// fn judge_current(session: &Session) -> [RotationOutcome; 2] {
    ///     let row = session.record();
    ///     let current = PresentedToken { generation: row.generation, secret_hash: row.secret_hash };
    ///     let policy = RotationPolicy::default();
    ///     let after = row.rotated_at + policy.grace();
    ///     [after - Duration::from_millis(1), after].map(|now| session.evaluate(&current, now, &policy))
    /// }
    /// # use tower_jwt_auth_core::{ClientInfo, SecretHash, SessionId, SessionRecord, Timestamp};
    /// # let at = Timestamp::from_unix_seconds;
    /// # let session = Session::from_record(SessionRecord {
    /// #     id: SessionId::from_bytes([1; 16]), issuer: "i".into(), subject: "s".into(),
    /// #     secret_hash: SecretHash::from_bytes([0; 32]), generation: 3, created_at: at(0),
    /// #     rotated_at: at(100), idle_until: at(1000), expires_at: at(2000), access_until: at(400),
    /// #     late_retry: None, ended: None, auth_time: at(0), client_id: "c".into(),
    /// #     scope: String::new(), claims: "{}".into(), client_info: ClientInfo::default(),
    /// # });
    /// assert_eq!(judge_current(&session), [RotationOutcome::Replay, RotationOutcome::Rotate]);
    /// ```
    pub fn evaluate(
        &self,
        presented: &PresentedToken,
        now: Timestamp,
        policy: &RotationPolicy,
    ) -> RotationOutcome {
        let row = self.record();
        if presented.secret_hash != row.secret_hash {
            return RotationOutcome::Rejected(RotationRejection::WrongSecret);
        }
        if row.ended.is_some() {
            return RotationOutcome::Rejected(RotationRejection::Ended);
        }
        if now >= row.expires_at {
            return RotationOutcome::Rejected(RotationRejection::Expired);
        }
        if now >= row.idle_until {
            return RotationOutcome::Rejected(RotationRejection::Idle);
        }
        let Some(behind) = row.generation.checked_sub(presented.generation) else {
            return RotationOutcome::Rejected(RotationRejection::Ahead);
        };
        match (behind, is_in_window(row, now, policy.grace())) {
            (0 | 1, true) => RotationOutcome::Replay,
            (0, false) => RotationOutcome::Rotate,
            (1, false) if self.may_retry_late(presented.generation, policy) => {
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
