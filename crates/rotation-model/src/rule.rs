use std::fmt::Debug;
use std::hash::Hash;

/// A refresh token, as a number that the rule gives it.
pub type Token = u8;

/// A time between events, in ticks. Below zero after the clock was set back.
pub type Ticks = i8;

/// Where a request stands between two calls of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The store has not been asked, or is asked once more.
    Begin {
        /// How often it was begun before.
        tries: u8,
    },
    /// The conditional write did not apply: the row is read next.
    Load {
        /// As above.
        tries: u8,
    },
    /// The rule allows a late retry: it is written next.
    RetryLate {
        /// As above.
        tries: u8,
    },
    /// The rule found reuse: the session is ended next.
    End,
}

/// What one call of the store came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is another call to make.
    Next(Stage),
    /// The request is answered with this token.
    Answer(Token),
    /// The request is accepted, and the client keeps the token that it has.
    Accepted,
    /// The request is refused.
    Refused,
    /// The request is answered with a try-again-later.
    TryLater,
}

/// A rule of rotation, over rows that a checker can tell apart.
///
/// A row knows times relative to now and tokens relative to the current one, so that there is a finite number of
/// rows however long the session lives.
pub trait Rule: Send + Sync {
    /// What the store keeps of a session.
    type Row: Clone + Debug + Eq + Hash + Send + Sync;

    /// The row of a new session, and its first token.
    fn start(&self) -> (Self::Row, Token);

    /// Makes one call of the store, which is atomic, for a request that brings this token.
    fn step(&self, row: &mut Self::Row, token: Token, stage: Stage) -> Step;

    /// Whether a client that holds this token is up to date.
    fn is_current(&self, row: &Self::Row, token: Token) -> bool;

    /// Whether a request with this token would be answered now.
    fn accepts(&self, row: &Self::Row, token: Token) -> bool {
        let (mut row, mut stage) = (row.clone(), Stage::Begin { tries: 0 });
        loop {
            match self.step(&mut row, token, stage) {
                Step::Next(next) => stage = next,
                Step::Answer(_) | Step::Accepted => return true,
                Step::Refused | Step::TryLater => return false,
            }
        }
    }

    /// Whether the session rotated less than the grace window ago.
    fn is_in_window(&self, row: &Self::Row) -> bool;

    /// Moves the store's clock.
    fn pass(&self, row: &mut Self::Row, ticks: Ticks);

    /// How many times the session has moved on, cyclically: it differs before and after a rotation.
    fn generation(&self, row: &Self::Row) -> u8;

    /// Whether the session has ended.
    fn is_ended(&self, row: &Self::Row) -> bool;

    /// How many tokens can be refreshed independently of each other.
    fn lineages(&self, row: &Self::Row) -> usize;

    /// Whether every answer must bring the current token.
    fn is_linear(&self) -> bool;

    /// Whether the row is looked at further: rules whose rows have no bound are cut off somewhere.
    fn is_within_bounds(&self, _: &Self::Row) -> bool {
        true
    }

    /// Renames tokens, so that states that differ by nothing but their names are one.
    fn normalize(&self, row: &mut Self::Row, tokens: &mut [&mut Token]);
}
