use crate::rule::{Rule, Stage, Step, Ticks, Token};

/// Rules whose store keeps tokens one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyRule {
    /// Ory Hydra with a rotation grace period: a spent token is answered with a new child of its own, for the period
    /// after its first use.
    Hydra,
    /// SuperTokens since CDI 5.6: the token before is answered, within the period after the rotation, with a new
    /// token that takes the place of the current one.
    SuperTokens,
    /// better-auth's OAuth provider with a reuse interval: a spent token is answered, within the interval after its
    /// own rotation, with the response that it got.
    BetterAuth,
    /// session-guard: a superseded token is accepted within the window, without a new one. Later, if no newer token
    /// was used, it is answered once with a new token that supersedes the current one.
    SessionGuard,
}

/// A rule, and its window.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The rule.
    pub rule: FamilyRule,
    /// The grace period or reuse interval.
    pub grace: Ticks,
}

/// A session as the store keeps it: its tokens, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    tokens: Vec<Record>,
    /// How long ago the session moved on.
    age: Ticks,
    /// Counts rotations, cyclically.
    rotations: u8,
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Record {
    state: State,
    /// Since when it is spent.
    age: Ticks,
    /// Whether it was ever presented.
    is_used: bool,
    /// The token that it was answered with.
    successor: Option<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// It can be refreshed.
    Active,
    /// It was refreshed last.
    Previous,
    /// It was refreshed, or displaced, before.
    Spent,
}

/// The most tokens of a session that are looked at: of those that anybody holds or can be answered with.
const MAX_TOKENS: usize = 4;

const NEW: Record = Record { state: State::Active, age: 0, is_used: false, successor: None };

impl Family {
    /// Adds a token, the child of another one.
    fn child(row: &mut Row, of: usize) -> Token {
        let child = u8::try_from(row.tokens.len()).unwrap_or(u8::MAX);
        row.tokens.push(NEW);
        row.tokens[of].successor = Some(child);
        child
    }

    fn spend(row: &mut Row, token: usize, state: State) {
        (row.tokens[token].state, row.tokens[token].age) = (state, 0);
    }

    fn rotate(self, row: &mut Row, token: usize) -> Token {
        for other in &mut row.tokens {
            if other.state == State::Previous {
                other.state = State::Spent;
            }
        }
        Self::spend(row, token, State::Previous);
        (row.age, row.rotations) = (0, (row.rotations + 1) % 3);
        Self::child(row, token)
    }

    /// A new token in the place of the current one.
    fn replace(row: &mut Row, token: usize) -> Token {
        for other in &mut row.tokens {
            if other.state == State::Active {
                (other.state, other.age) = (State::Spent, 0);
            }
        }
        Self::child(row, token)
    }

    fn present_spent(self, row: &mut Row, token: usize) -> Option<Step> {
        let record = row.tokens[token];
        let is_in_time = record.age < self.grace;
        match self.rule {
            FamilyRule::Hydra if is_in_time => Some(Step::Answer(Self::child(row, token))),
            FamilyRule::SuperTokens if is_in_time && record.state == State::Previous => {
                Some(Step::Answer(Self::replace(row, token)))
            }
            FamilyRule::BetterAuth if is_in_time => record.successor.map(Step::Answer),
            FamilyRule::SessionGuard if is_in_time => Some(Step::Accepted),
            FamilyRule::SessionGuard
                if !row.tokens[token + 1..].iter().any(|newer| newer.is_used) =>
            {
                let answer = Self::replace(row, token);
                row.tokens[usize::from(answer)].is_used = true;
                row.age = 0;
                Some(Step::Answer(answer))
            }
            _ => None,
        }
    }
}

impl Rule for Family {
    type Row = Row;

    fn start(&self) -> (Row, Token) {
        (Row { tokens: vec![NEW], age: self.grace, rotations: 0, ended: false }, 0)
    }

    fn step(&self, row: &mut Row, token: Token, _: Stage) -> Step {
        let token = usize::from(token);
        if row.ended {
            return Step::Refused;
        }
        row.tokens[token].is_used = true;
        if row.tokens[token].state == State::Active {
            return Step::Answer(self.rotate(row, token));
        }
        self.present_spent(row, token).unwrap_or_else(|| {
            row.ended = true;
            Step::Refused
        })
    }

    fn is_current(&self, row: &Row, token: Token) -> bool {
        row.tokens[usize::from(token)].state == State::Active
    }

    fn is_in_window(&self, row: &Row) -> bool {
        row.age < self.grace
    }

    fn pass(&self, row: &mut Row, ticks: Ticks) {
        row.age = (row.age + ticks).min(self.grace);
        for token in &mut row.tokens {
            token.age = (token.age + ticks).min(self.grace);
        }
    }

    fn generation(&self, row: &Row) -> u8 {
        row.rotations
    }

    fn is_ended(&self, row: &Row) -> bool {
        row.ended
    }

    fn lineages(&self, row: &Row) -> usize {
        row.tokens.iter().filter(|token| token.state == State::Active).count()
    }

    fn is_linear(&self) -> bool {
        false
    }

    fn is_within_bounds(&self, row: &Row) -> bool {
        row.tokens.len() <= MAX_TOKENS
    }

    /// Forgets the tokens that nobody holds any more, and numbers the others anew in their order.
    fn normalize(&self, row: &mut Row, held: &mut [&mut Token]) {
        let mut is_needed: Vec<bool> = row.tokens.iter().map(|_| false).collect();
        for token in held.iter() {
            is_needed[usize::from(**token)] = true;
        }
        // A successor is needed where it would be answered again.
        for number in 0..row.tokens.len() {
            let record = row.tokens[number];
            if self.rule != FamilyRule::BetterAuth || record.age >= self.grace {
                row.tokens[number].successor = None;
            }
            if let (true, Some(successor)) = (is_needed[number], row.tokens[number].successor) {
                is_needed[usize::from(successor)] = true;
            }
        }
        // What matters of the others is whether a newer token was used.
        if self.rule == FamilyRule::SessionGuard
            && let Some(newest) = row.tokens.iter().rposition(|token| token.is_used)
        {
            is_needed[newest] = true;
        }
        let mut number_of = vec![0; row.tokens.len()];
        let mut kept: Vec<Record> = Vec::new();
        for (number, record) in
            row.tokens.iter().enumerate().filter(|(number, _)| is_needed[*number])
        {
            number_of[number] = u8::try_from(kept.len()).unwrap_or(u8::MAX);
            kept.push(*record);
        }
        row.tokens = kept;
        for record in &mut row.tokens {
            record.successor = record.successor.map(|token| number_of[usize::from(token)]);
            if self.rule != FamilyRule::SessionGuard {
                record.is_used = false;
            }
            if record.state == State::Active {
                record.age = 0;
            }
        }
        for token in held {
            **token = number_of[usize::from(**token)];
        }
    }
}
