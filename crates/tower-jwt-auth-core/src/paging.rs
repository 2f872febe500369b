use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use crate::{EndReason, Revocation, Session, SessionId};

/// A session's place in the order in which sessions were added to a store.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::SessionPosition;
///
/// let position = SessionPosition::new(42);
/// assert_eq!(position.to_string().parse(), Ok(position));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionPosition(u64);

impl SessionPosition {
    /// The position of this number, as a store counts.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number, as the store counts.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SessionPosition {
    /// The number, for a query parameter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SessionPosition {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// A part of a subject's live sessions, in the order in which they were added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// Where to read on; `None` at the end of the list.
    pub next: Option<SessionPosition>,
}

/// Which of a subject's sessions to end next.
#[derive(Clone, Copy, Debug)]
pub struct EndBatch<'a> {
    /// The issuer of the subject.
    pub issuer: &'a str,
    /// The subject.
    pub subject: &'a str,
    /// A session that goes on.
    pub keep: Option<SessionId>,
    /// Only sessions behind this one: where the batch before came to.
    pub after: Option<SessionPosition>,
    /// Only sessions up to this one: the last one that there was when the first batch began.
    pub through: Option<SessionPosition>,
    /// How many sessions at most (at least one is asked for); a store may end fewer at a time.
    pub limit: usize,
    /// Why they end.
    pub reason: EndReason,
}

/// What a batch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedBatch {
    /// The log entry of each session that was ended.
    pub revocations: Vec<Revocation>,
    /// The last session that the batches are about, for [`EndBatch::through`].
    pub through: SessionPosition,
    /// Where the next batch begins, for [`EndBatch::after`]; `None` when all sessions have been ended.
    pub next: Option<SessionPosition>,
}
