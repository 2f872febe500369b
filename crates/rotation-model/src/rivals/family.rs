use crate::rule::{Rule, SessionState, Stage, StepOutcome, Ticks, Token};

/// A rule whose store keeps each token of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FamilyRule {
    /// Ory Hydra with a rotation grace period. A spent token is answered with a new child of its own, for the period
    /// after its first use.
    Hydra,
    /// SuperTokens since CDI 5.6. The previous token is answered, within the period after the rotation, with a new
    /// token that replaces the current one.
    SuperTokens,
    /// The OAuth provider of better-auth with a reuse interval. A spent token is answered, within the interval after
    /// its own rotation, with its first response.
    BetterAuth,
    /// session-guard. A superseded token is accepted within the window, without a new one. After the window, if no
    /// newer token was used, it is answered once with a new token that supersedes the current one.
    SessionGuard,
}

/// A rule whose store keeps each token, and its window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    pub(crate) rule: FamilyRule,
    /// The grace period or reuse interval.
    pub(crate) grace: Ticks,
}

/// A session with all of its tokens, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FamilySession {
    tokens: Vec<TokenRecord>,
    /// The time since the last rotation.
    age: Ticks,
    /// The number of rotations, cyclic.
    rotations: u8,
    is_ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct TokenRecord {
    status: TokenStatus,
    /// The time since the token was spent.
    age: Ticks,
    /// Whether the token was ever presented.
    is_used: bool,
    /// The token of the last response to this one.
    successor: Option<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum TokenStatus {
    /// The token can be refreshed.
    Active,
    /// The token was the last one that was refreshed.
    Previous,
    /// The token was refreshed or replaced before that.
    Spent,
}

/// The maximum number of tokens of a session, counting those that a client has or can receive.
const MAX_TOKENS: usize = 4;

const NEW_TOKEN: TokenRecord =
    TokenRecord { status: TokenStatus::Active, age: 0, is_used: false, successor: None };

impl FamilySession {
    /// Adds a token as the child of another one.
    fn add_child(&mut self, parent: usize) -> Token {
        let child = u8::try_from(self.tokens.len()).unwrap_or(u8::MAX);
        self.tokens.push(NEW_TOKEN);
        self.tokens[parent].successor = Some(child);
        child
    }

    fn rotate(&mut self, token: usize) -> Token {
        for other in &mut self.tokens {
            if other.status == TokenStatus::Previous {
                other.status = TokenStatus::Spent;
            }
        }
        (self.tokens[token].status, self.tokens[token].age) = (TokenStatus::Previous, 0);
        (self.age, self.rotations) = (0, (self.rotations + 1) % 3);
        self.add_child(token)
    }

    /// Adds a token that replaces the current one.
    fn replace_current(&mut self, parent: usize) -> Token {
        for other in &mut self.tokens {
            if other.status == TokenStatus::Active {
                (other.status, other.age) = (TokenStatus::Spent, 0);
            }
        }
        self.add_child(parent)
    }
}

impl Family {
    fn present_spent(self, session: &mut FamilySession, token: usize) -> Option<StepOutcome> {
        let record = session.tokens[token];
        let is_in_time = record.age < self.grace;
        match self.rule {
            FamilyRule::Hydra if is_in_time => Some(StepOutcome::Answer(session.add_child(token))),
            FamilyRule::SuperTokens if is_in_time && record.status == TokenStatus::Previous => {
                Some(StepOutcome::Answer(session.replace_current(token)))
            }
            FamilyRule::BetterAuth if is_in_time => record.successor.map(StepOutcome::Answer),
            FamilyRule::SessionGuard if is_in_time => Some(StepOutcome::Accepted),
            FamilyRule::SessionGuard
                if !session.tokens[token + 1..].iter().any(|newer| newer.is_used) =>
            {
                let successor = session.replace_current(token);
                session.tokens[usize::from(successor)].is_used = true;
                session.age = 0;
                Some(StepOutcome::Answer(successor))
            }
            _ => None,
        }
    }

    /// Returns which tokens still have an effect: those that are held, their successors if they would be returned
    /// again, and the newest used one if the rule depends on it.
    fn needed(self, session: &FamilySession, held: &[&mut Token]) -> Vec<bool> {
        let mut is_needed = vec![false; session.tokens.len()];
        for token in held {
            is_needed[usize::from(**token)] = true;
        }
        for number in 0..session.tokens.len() {
            if let (true, Some(successor)) = (is_needed[number], session.tokens[number].successor) {
                is_needed[usize::from(successor)] = true;
            }
        }
        if self.rule == FamilyRule::SessionGuard
            && let Some(newest) = session.tokens.iter().rposition(|token| token.is_used)
        {
            is_needed[newest] = true;
        }
        is_needed
    }
}

impl SessionState for FamilySession {
    fn generation(&self) -> u8 {
        self.rotations
    }

    fn is_current(&self, token: Token) -> bool {
        self.tokens[usize::from(token)].status == TokenStatus::Active
    }

    fn is_ended(&self) -> bool {
        self.is_ended
    }

    fn lineages(&self) -> usize {
        self.tokens.iter().filter(|token| token.status == TokenStatus::Active).count()
    }
}

impl Rule for Family {
    type Session = FamilySession;

    fn start(&self) -> (FamilySession, Token) {
        let tokens = vec![NEW_TOKEN];
        (FamilySession { tokens, age: self.grace, rotations: 0, is_ended: false }, 0)
    }

    fn step(&self, session: &mut FamilySession, token: Token, _: Stage) -> StepOutcome {
        if session.is_ended {
            return StepOutcome::Rejected;
        }
        let token = usize::from(token);
        session.tokens[token].is_used = true;
        if session.tokens[token].status == TokenStatus::Active {
            return StepOutcome::Answer(session.rotate(token));
        }
        self.present_spent(session, token).unwrap_or_else(|| {
            session.is_ended = true;
            StepOutcome::Rejected
        })
    }

    fn is_in_window(&self, session: &FamilySession) -> bool {
        session.age < self.grace
    }

    fn advance_clock(&self, session: &mut FamilySession, ticks: Ticks) {
        session.age = (session.age + ticks).min(self.grace);
        for token in &mut session.tokens {
            token.age = (token.age + ticks).min(self.grace);
        }
    }

    fn is_linear(&self) -> bool {
        false
    }

    fn is_within_bounds(&self, session: &FamilySession) -> bool {
        session.tokens.len() <= MAX_TOKENS
    }

    /// Removes the tokens that no longer have an effect, and renumbers the others in their order.
    fn normalize(&self, session: &mut FamilySession, held: &mut [&mut Token]) {
        for record in &mut session.tokens {
            // Only better-auth returns a successor again, and only within the interval.
            if self.rule != FamilyRule::BetterAuth || record.age >= self.grace {
                record.successor = None;
            }
        }
        let is_needed = self.needed(session, held);
        let mut number_of = vec![0; session.tokens.len()];
        let mut kept: Vec<TokenRecord> = Vec::new();
        for (number, record) in session.tokens.iter().enumerate() {
            if is_needed[number] {
                number_of[number] = u8::try_from(kept.len()).unwrap_or(u8::MAX);
                kept.push(*record);
            }
        }
        session.tokens = kept;
        for record in &mut session.tokens {
            record.successor = record.successor.map(|token| number_of[usize::from(token)]);
            if self.rule != FamilyRule::SessionGuard {
                record.is_used = false;
            }
            if record.status == TokenStatus::Active {
                record.age = 0;
            }
        }
        for token in held {
            **token = number_of[usize::from(**token)];
        }
    }
}
