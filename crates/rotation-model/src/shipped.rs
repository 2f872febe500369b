use std::time::Duration;

use tower_jwt_auth_core::{
    AdvanceRequest, ClientInfo, EndReason, Ended, LateRetryRequest, LateRetryRun, PresentedToken,
    RotationOutcome, RotationPolicy, SecretHash, Session, SessionId, SessionRecord, Timestamp,
};

use crate::rule::{Rule, Stage, Step, Ticks, Token};

const HASH: SecretHash = SecretHash::from_bytes([1; 32]);
const TICK: Duration = Duration::from_secs(1);
const NOW: Timestamp = Timestamp::from_unix_seconds(1_000_000);
/// How often `Sessions` begins again when others overtake it.
const TRIES: u8 = 3;
/// From this generation on, rows that differ by the number alone are one.
const FOLD: u8 = 4;

/// The rule of this project: the very functions of the core crate that the stores and `Sessions` use.
#[derive(Clone, Debug)]
pub struct Shipped {
    policy: RotationPolicy,
    grace: Ticks,
    margin: Ticks,
    mutation: Option<Mutation>,
}

/// A way to break the rule, to see that the checker finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// The conditional write forgets the grace window.
    AdvanceIgnoresTheWindow,
    /// The conditional write forgets the generation.
    AdvanceIgnoresTheGeneration,
    /// Late retries are not counted.
    LateRetriesAreNotCounted,
    /// The conditional writes and the rule forget that the session has ended.
    EndIsForgotten,
}

/// A session as the store keeps it, with times relative to now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The generation.
    pub n: u8,
    /// How long ago `rotated_at` is; beyond the window and the margin of the clock, just that.
    pub age: Ticks,
    /// The generation that was retried late, and the length of the run.
    pub late: Option<(u8, u8)>,
    /// Whether the session has ended.
    pub ended: bool,
}

impl Shipped {
    /// The rule with a grace window of so many ticks, so many late retries running, and a clock that is set by so
    /// many ticks at most.
    pub fn new(grace: Ticks, late_retries: u8, margin: Ticks) -> Self {
        let policy = RotationPolicy::default()
            .with_grace(TICK * grace.unsigned_abs().into())
            .with_late_retries(late_retries.into());
        Self { policy, grace, margin, mutation: None }
    }

    /// The same, broken.
    #[must_use]
    pub fn broken(mut self, mutation: Mutation) -> Self {
        self.mutation = Some(mutation);
        self
    }

    fn is_broken(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn parts(&self, row: &Row) -> SessionRecord {
        let age = TICK * row.age.unsigned_abs().into();
        let rotated_at = if row.age < 0 { NOW + age } else { NOW - age };
        let late = row.late.map(|(generation, length)| LateRetryRun {
            generation: generation.into(),
            length: length.into(),
        });
        let ended = Some(Ended { at: NOW, reason: EndReason::Reuse });
        SessionRecord {
            id: SessionId::from_bytes([1; 16]),
            issuer: String::new(),
            subject: String::new(),
            secret_hash: HASH,
            generation: row.n.into(),
            created_at: Timestamp::UNIX_EPOCH,
            rotated_at,
            idle_until: Timestamp::MAX,
            expires_at: Timestamp::MAX,
            access_until: NOW,
            late_retry: late,
            ended: ended.filter(|_| row.ended && !self.is_broken(Mutation::EndIsForgotten)),
            auth_time: Timestamp::UNIX_EPOCH,
            client_id: String::new(),
            scope: String::new(),
            claims: String::new(),
            client_info: ClientInfo::default(),
        }
    }

    fn advance(&self, row: &mut Row, token: Token) -> bool {
        let mut parts = self.parts(row);
        let mut step = AdvanceRequest {
            id: parts.id,
            secret_hash: HASH,
            from_generation: token.into(),
            grace: self.policy.grace(),
            idle: self.policy.idle(),
            access_until: NOW,
        };
        if self.is_broken(Mutation::AdvanceIgnoresTheWindow) {
            step.grace = Duration::ZERO;
        }
        if self.is_broken(Mutation::AdvanceIgnoresTheGeneration) {
            step.from_generation = parts.generation;
        }
        let is_applied = parts.advance(&step, NOW);
        if is_applied {
            (row.n, row.age) = (row.n + 1, 0);
        }
        is_applied
    }

    fn retry_late(&self, row: &mut Row, token: Token) -> bool {
        let mut parts = self.parts(row);
        let retry = LateRetryRequest {
            id: parts.id,
            secret_hash: HASH,
            generation: token.into(),
            grace: self.policy.grace(),
            max_running: self.policy.late_retries(),
            access_until: NOW,
        };
        let is_applied = parts.retry_late(&retry, NOW);
        if is_applied {
            row.age = 0;
            let run =
                parts.late_retry.filter(|_| !self.is_broken(Mutation::LateRetriesAreNotCounted));
            // Both are small: the generation is folded, and the length is bounded by the policy.
            let small = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
            row.late = run.map(|run| (small(run.generation), small(run.length.into())));
        }
        is_applied
    }

    fn judge(&self, row: &Row, token: Token) -> RotationOutcome {
        let presented = PresentedToken { generation: token.into(), secret_hash: HASH };
        Session::from_record(self.parts(row)).evaluate(&presented, NOW, &self.policy)
    }
}

impl Rule for Shipped {
    type Row = Row;

    fn start(&self) -> (Row, Token) {
        (Row { n: 0, age: self.grace + self.margin, late: None, ended: false }, 0)
    }

    /// As `Sessions` does: the conditional write first, then the row and the rule, then what the rule says.
    fn step(&self, row: &mut Row, token: Token, stage: Stage) -> Step {
        let again = |tries: u8| match tries + 1 {
            TRIES => Step::TryLater,
            tries => Step::Next(Stage::Begin { tries }),
        };
        match stage {
            Stage::Begin { .. } if self.advance(row, token) => Step::Answer(token + 1),
            Stage::Begin { tries } => Step::Next(Stage::Load { tries }),
            Stage::Load { tries } => match self.judge(row, token) {
                RotationOutcome::Rotate => again(tries),
                RotationOutcome::Replay => Step::Answer(row.n),
                RotationOutcome::LateRetry => Step::Next(Stage::RetryLate { tries }),
                RotationOutcome::Reuse => Step::Next(Stage::End),
                RotationOutcome::Rejected(_) => Step::Refused,
            },
            Stage::RetryLate { .. } if self.retry_late(row, token) => Step::Answer(row.n),
            Stage::RetryLate { tries } => again(tries),
            Stage::End => {
                row.ended = true;
                Step::Refused
            }
        }
    }

    fn is_current(&self, row: &Row, token: Token) -> bool {
        token == row.n
    }

    fn is_in_window(&self, row: &Row) -> bool {
        row.n > 0 && row.age < self.grace && -row.age < self.grace
    }

    fn pass(&self, row: &mut Row, ticks: Ticks) {
        row.age = (row.age + ticks).min(self.grace + self.margin);
    }

    fn generation(&self, row: &Row) -> u8 {
        row.n
    }

    fn is_ended(&self, row: &Row) -> bool {
        row.ended
    }

    fn lineages(&self, _: &Row) -> usize {
        1
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn normalize(&self, row: &mut Row, tokens: &mut [&mut Token]) {
        // A run that ended two generations ago says nothing any more.
        row.late = row.late.filter(|(generation, _)| generation + 2 >= row.n);
        fold(&mut row.n, tokens, FOLD, |by| {
            if let Some((generation, _)) = &mut row.late {
                *generation -= by;
            }
        });
    }
}

/// Counts generations from the current one where there have been many: one that is `fold` generations old is as
/// spent as an older one.
pub(crate) fn fold(n: &mut u8, tokens: &mut [&mut Token], fold: u8, others: impl FnOnce(u8)) {
    let by = n.saturating_sub(fold);
    if by > 0 {
        *n -= by;
        for token in tokens {
            **token = token.saturating_sub(by);
        }
        others(by);
    }
}
