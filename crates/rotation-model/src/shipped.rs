use std::time::Duration;

use tower_jwt_auth_core::{
    AdvanceRequest, EndReason, Ended, LateRetryRequest, LateRetryRun, PresentedToken,
    RotationOutcome, RotationPolicy, SecretHash, Session, SessionId, SessionRecord, Timestamp,
};

use crate::linear_session::{LateRetry, LinearSession};
use crate::rule::{Rule, Stage, StepOutcome, Ticks, Token};

const HASH: SecretHash = SecretHash::from_bytes([1; 32]);
const TICK: Duration = Duration::from_secs(1);
const NOW: Timestamp = Timestamp::from_unix_seconds(1_000_000);
/// The number of attempts of `Sessions` when concurrent requests overtake it.
const MAX_ATTEMPTS: u8 = 3;

/// The rule of this project. It calls the functions of the core crate that the stores and `Sessions` call.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Extent, Scenario, Shipped};
///
/// let extent = Extent::Small;
/// let rule = Shipped::new(extent.grace(), 1, extent.clock_margin());
/// assert!(Scenario::Tabs.check(rule, extent).holds());
/// ```
#[derive(Clone, Debug)]
pub struct Shipped {
    policy: RotationPolicy,
    grace: Ticks,
    clock_margin: Ticks,
    mutation: Option<Mutation>,
}

/// A mutation of the rule, to show that the checker detects it.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Extent, Finding, Mutation, Scenario, Shipped, Violation};
///
/// let rule = Shipped::new(Extent::Small.grace(), 1, 0).with_mutation(Mutation::EndIsIgnored);
/// let finding = Scenario::FreeThief.check(rule, Extent::Small);
/// let Finding::Fails(found) = finding else { unreachable!() };
/// assert_eq!(found.violation, Violation::EndedSessionAnswered);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// The conditional write ignores the grace window.
    AdvanceIgnoresTheWindow,
    /// The conditional write ignores the generation.
    AdvanceIgnoresTheGeneration,
    /// Late retries are not counted.
    LateRetriesAreNotCounted,
    /// The conditional writes and the rule ignore that the session has ended.
    EndIsIgnored,
}

impl Shipped {
    /// Creates the rule with a grace window, a number of consecutive late retries, and the maximum by which the store's
    /// clock is set.
    pub fn new(grace: Ticks, late_retries: u8, clock_margin: Ticks) -> Self {
        let policy = RotationPolicy::default()
            .with_grace(TICK * grace.unsigned_abs().into())
            .with_late_retries(late_retries.into());
        Self { policy, grace, clock_margin, mutation: None }
    }

    /// Applies a mutation to the rule.
    #[must_use]
    pub fn with_mutation(mut self, mutation: Mutation) -> Self {
        self.mutation = Some(mutation);
        self
    }

    fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Returns the record that a store would keep of the session.
    fn record(&self, session: &LinearSession) -> SessionRecord {
        let age = TICK * session.age.unsigned_abs().into();
        let late_retry = session.late_retry.map(|run| LateRetryRun {
            generation: run.generation.into(),
            length: run.length.into(),
        });
        let ended = Some(Ended { at: NOW, reason: EndReason::Reuse });
        SessionRecord {
            generation: session.generation.into(),
            rotated_at: if session.age < 0 { NOW + age } else { NOW - age },
            idle_until: Timestamp::MAX,
            expires_at: Timestamp::MAX,
            late_retry,
            ended: ended.filter(|_| session.is_ended && !self.has(Mutation::EndIsIgnored)),
            ..SessionRecord::new(SessionId::from_bytes([1; 16]), "", "", HASH, NOW)
        }
    }

    fn advance(&self, session: &mut LinearSession, token: Token) -> bool {
        let mut record = self.record(session);
        let mut request = AdvanceRequest {
            id: record.id,
            secret_hash: HASH,
            from_generation: token.into(),
            grace: self.policy.grace(),
            idle: self.policy.idle(),
            access_until: NOW,
        };
        if self.has(Mutation::AdvanceIgnoresTheWindow) {
            request.grace = Duration::ZERO;
        }
        if self.has(Mutation::AdvanceIgnoresTheGeneration) {
            request.from_generation = record.generation;
        }
        let is_applied = record.advance(&request, NOW);
        if is_applied {
            session.rotate();
        }
        is_applied
    }

    fn retry_late(&self, session: &mut LinearSession, token: Token) -> bool {
        let mut record = self.record(session);
        let request = LateRetryRequest {
            id: record.id,
            secret_hash: HASH,
            generation: token.into(),
            grace: self.policy.grace(),
            max_running: self.policy.late_retries(),
            access_until: NOW,
        };
        let is_applied = record.retry_late(&request, NOW);
        if is_applied {
            session.age = 0;
            let run = record.late_retry.filter(|_| !self.has(Mutation::LateRetriesAreNotCounted));
            // Both numbers are small: generations are normalized, and the policy bounds the length.
            let small = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
            session.late_retry = run.map(|run| LateRetry {
                generation: small(run.generation),
                length: small(run.length.into()),
            });
        }
        is_applied
    }

    fn evaluate(&self, session: &LinearSession, token: Token) -> RotationOutcome {
        let token = PresentedToken { generation: token.into(), secret_hash: HASH };
        Session::from_record(self.record(session)).evaluate(&token, NOW, &self.policy)
    }
}

impl Rule for Shipped {
    type Session = LinearSession;

    fn start(&self) -> (LinearSession, Token) {
        (LinearSession::new(self.grace + self.clock_margin), 0)
    }

    /// Makes the calls of `Sessions`: first the conditional write, then a read and the rule, then the write that the
    /// rule demands.
    fn step(&self, session: &mut LinearSession, token: Token, stage: Stage) -> StepOutcome {
        let next_attempt = |attempts: u8| match attempts + 1 {
            MAX_ATTEMPTS => StepOutcome::TryLater,
            attempts => StepOutcome::Next(Stage::Begin { attempts }),
        };
        match stage {
            Stage::Begin { .. } if self.advance(session, token) => StepOutcome::Answer(token + 1),
            Stage::Begin { attempts } => StepOutcome::Next(Stage::Load { attempts }),
            Stage::Load { attempts } => match self.evaluate(session, token) {
                RotationOutcome::Rotate => next_attempt(attempts),
                RotationOutcome::Replay => StepOutcome::Answer(session.generation),
                RotationOutcome::LateRetry => StepOutcome::Next(Stage::RetryLate { attempts }),
                RotationOutcome::Reuse => StepOutcome::Next(Stage::End),
                RotationOutcome::Rejected(_) => StepOutcome::Rejected,
            },
            Stage::RetryLate { .. } if self.retry_late(session, token) => {
                StepOutcome::Answer(session.generation)
            }
            Stage::RetryLate { attempts } => next_attempt(attempts),
            Stage::End => {
                session.is_ended = true;
                StepOutcome::Rejected
            }
        }
    }

    fn is_in_window(&self, session: &LinearSession) -> bool {
        session.generation > 0 && session.age < self.grace && -session.age < self.grace
    }

    fn advance_clock(&self, session: &mut LinearSession, ticks: Ticks) {
        // Beyond the window and the margin of the clock, ages are not distinguished.
        session.advance_clock(ticks, self.grace + self.clock_margin);
    }

    fn normalize(&self, session: &mut LinearSession, tokens: &mut [&mut Token]) {
        session.normalize(tokens);
    }
}
