use crate::rule::{SessionState, Ticks, Token};

/// Sessions of this generation and of later ones are equal if they differ by the generation alone: a token that is this
/// many generations old is as spent as an older one.
const MAX_GENERATION: u8 = 4;

/// A session whose tokens are numbered by generation, with one current token.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{LinearSession, Rule, SessionState, Shipped};
///
/// let (session, token): (LinearSession, _) = Shipped::new(4, 1, 0).start();
/// assert!(session.is_current(token));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinearSession {
    pub(crate) generation: u8,
    /// The time since the last rotation. It does not exceed the time that the rule distinguishes.
    pub(crate) age: Ticks,
    /// The last run of late retries.
    pub(crate) late_retry: Option<LateRetry>,
    pub(crate) is_ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LateRetry {
    /// The generation that was retried last.
    pub(crate) generation: u8,
    /// The number of consecutive generations that were retried.
    pub(crate) length: u8,
}

impl LinearSession {
    pub(crate) fn new(age: Ticks) -> Self {
        Self { generation: 0, age, late_retry: None, is_ended: false }
    }

    pub(crate) fn rotate(&mut self) {
        (self.generation, self.age) = (self.generation + 1, 0);
    }

    pub(crate) fn advance_clock(&mut self, ticks: Ticks, max_age: Ticks) {
        self.age = (self.age + ticks).min(max_age);
    }

    /// Lowers large generations, those of the tokens included.
    pub(crate) fn normalize(&mut self, tokens: &mut [&mut Token]) {
        // A run that ended two generations ago has no effect any more.
        self.late_retry = self.late_retry.filter(|run| run.generation + 2 >= self.generation);
        let surplus = self.generation.saturating_sub(MAX_GENERATION);
        if surplus > 0 {
            self.generation -= surplus;
            for token in tokens {
                **token = token.saturating_sub(surplus);
            }
            if let Some(run) = &mut self.late_retry {
                run.generation -= surplus;
            }
        }
    }
}

impl SessionState for LinearSession {
    fn generation(&self) -> u8 {
        self.generation
    }

    fn is_current(&self, token: Token) -> bool {
        token == self.generation
    }

    fn is_ended(&self) -> bool {
        self.is_ended
    }
}
