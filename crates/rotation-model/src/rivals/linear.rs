use crate::linear_session::{LateRetry, LinearSession};
use crate::rule::{Rule, SessionState as _, Stage, StepOutcome, Ticks, Token};

/// A rule with numbered tokens whose response always brings the token of the current number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinearRule {
    /// The previous rule of this project. Every refresh rotates. The previous token is replayed within the window.
    /// After the window it is a late retry unless there was one in the generation before; late retries of one
    /// generation are not counted.
    OneDeepGrace,
    /// Every refresh rotates, and the previous token is answered at any time.
    UnlimitedLateRetry,
    /// Supabase Auth, refresh tokens v2. Every refresh with the current token rotates. The previous token is answered
    /// at any time, and older tokens less than the reuse interval after the last refresh. Each response counts as a
    /// refresh.
    Supabase,
}

/// A rule with numbered tokens and its window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear {
    pub(crate) rule: LinearRule,
    /// The grace window or reuse interval.
    pub(crate) grace: Ticks,
}

impl Linear {
    fn retry_late(self, session: &mut LinearSession, token: Token) -> StepOutcome {
        let granted = session.late_retry.map(|run| run.generation);
        if granted.is_some_and(|granted| granted != token && granted + 1 >= token) {
            session.is_ended = true;
            return StepOutcome::Rejected;
        }
        session.late_retry = Some(LateRetry { generation: token, length: 1 });
        StepOutcome::Answer(session.generation)
    }
}

impl Rule for Linear {
    type Session = LinearSession;

    fn start(&self) -> (LinearSession, Token) {
        (LinearSession::new(self.grace), 0)
    }

    fn step(&self, session: &mut LinearSession, token: Token, _: Stage) -> StepOutcome {
        if session.is_ended() {
            return StepOutcome::Rejected;
        }
        let behind = session.generation.saturating_sub(token);
        let is_in_window = self.is_in_window(session);
        match (self.rule, behind) {
            (_, 0) => {
                session.rotate();
                StepOutcome::Answer(session.generation)
            }
            (LinearRule::OneDeepGrace, 1) if is_in_window => {
                StepOutcome::Answer(session.generation)
            }
            (LinearRule::OneDeepGrace, 1) => self.retry_late(session, token),
            (LinearRule::UnlimitedLateRetry, 1) => StepOutcome::Answer(session.generation),
            (LinearRule::Supabase, behind) if behind == 1 || is_in_window => {
                session.age = 0;
                StepOutcome::Answer(session.generation)
            }
            _ => {
                session.is_ended = true;
                StepOutcome::Rejected
            }
        }
    }

    fn is_in_window(&self, session: &LinearSession) -> bool {
        session.generation > 0 && session.age < self.grace
    }

    fn advance_clock(&self, session: &mut LinearSession, ticks: Ticks) {
        session.advance_clock(ticks, self.grace);
    }

    fn normalize(&self, session: &mut LinearSession, tokens: &mut [&mut Token]) {
        session.normalize(tokens);
    }
}
