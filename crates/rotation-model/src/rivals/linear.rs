use crate::rule::{Rule, Stage, Step, Ticks, Token};
use crate::shipped::fold;

/// From this generation on, rows that differ by the number alone are one.
const FOLD: u8 = 4;

/// Rules whose tokens are numbered, and whose answer is always the token of the current number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinearRule {
    /// The rule of this project before: every refresh rotates. The token before is replayed within the window, and
    /// later is a late retry unless there was one in the generation before; late retries of one generation are not
    /// counted.
    OneDeepGrace,
    /// Every refresh rotates, and the token before is answered at any time.
    UnlimitedLateRetry,
    /// Supabase Auth, refresh tokens v2: every refresh with the current token rotates, a difference of one is
    /// answered at any time, any older one less than the interval after the last refresh. Each answer counts as a
    /// refresh.
    Supabase,
}

/// A rule, and its window.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// The rule.
    pub rule: LinearRule,
    /// The grace window or reuse interval.
    pub grace: Ticks,
}

/// A session as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    n: u8,
    age: Ticks,
    /// The generation that was retried late.
    late: Option<u8>,
    ended: bool,
}

impl Linear {
    fn answer_late(self, row: &mut Row, token: Token) -> Step {
        let granted = row.late;
        if granted.is_some_and(|granted| granted != token && granted + 1 >= token) {
            row.ended = true;
            return Step::Refused;
        }
        row.late = Some(token);
        Step::Answer(row.n)
    }
}

impl Rule for Linear {
    type Row = Row;

    fn start(&self) -> (Row, Token) {
        (Row { n: 0, age: self.grace, late: None, ended: false }, 0)
    }

    fn step(&self, row: &mut Row, token: Token, _: Stage) -> Step {
        let behind = row.n.saturating_sub(token);
        if row.ended {
            return Step::Refused;
        }
        let is_in_window = self.is_in_window(row);
        match (self.rule, behind) {
            (_, 0) => {
                (row.n, row.age) = (row.n + 1, 0);
                Step::Answer(row.n)
            }
            (LinearRule::OneDeepGrace, 1) if is_in_window => Step::Answer(row.n),
            (LinearRule::OneDeepGrace, 1) => self.answer_late(row, token),
            (LinearRule::UnlimitedLateRetry, 1) => Step::Answer(row.n),
            (LinearRule::Supabase, behind) if behind == 1 || is_in_window => {
                row.age = 0;
                Step::Answer(row.n)
            }
            _ => {
                row.ended = true;
                Step::Refused
            }
        }
    }

    fn is_current(&self, row: &Row, token: Token) -> bool {
        token == row.n
    }

    fn is_in_window(&self, row: &Row) -> bool {
        row.n > 0 && row.age < self.grace
    }

    fn pass(&self, row: &mut Row, ticks: Ticks) {
        row.age = (row.age + ticks).min(self.grace);
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
        row.late = row.late.filter(|generation| generation + 2 >= row.n);
        fold(&mut row.n, tokens, FOLD, |by| {
            if let Some(generation) = &mut row.late {
                *generation -= by;
            }
        });
    }
}
