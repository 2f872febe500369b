use crate::rule::{Stage, Ticks, Token};

/// What can happen in a world, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many tabs share the cookie jar; each has one request under way at most.
    pub tabs: usize,
    /// The grace window, in ticks.
    pub grace: Ticks,
    /// How many ticks may pass between the sending of a request and the judgement of the store.
    pub max_request: Ticks,
    /// How many ticks an answer may be under way.
    pub max_answer: Ticks,
    /// By how many ticks the store's clock may be set ahead, and back again.
    pub margin: Ticks,
    /// Whether requests and answers can be lost, and nodes crash between a write and its answer.
    pub losses: bool,
    /// In how many generations running something may be left behind at the end of a window, once in each; any
    /// number, where there is none.
    pub left_behind: Option<u8>,
    /// Whether the store judges the requests of the jar in the order in which they were sent.
    pub requests_in_order: bool,
    /// Whether answers arrive at the jar in the order in which they were made.
    pub answers_in_order: bool,
    /// Whether it matters that there is one lineage.
    pub one_lineage: bool,
    /// Who else holds a token.
    pub thief: Thief,
}

/// Whether there is a thief, who copies the jar's cookie once, at any moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thief {
    /// There is no thief.
    Absent,
    /// The thief sends what it holds at any moment; so it may know `last_seen`.
    Free,
    /// Owner and thief refresh outside of the windows that the other one has opened, one request after the other.
    Apart,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// A tab of the session's owner.
    Owner,
    /// Whoever copied the cookie.
    Thief,
}

/// A request under way, or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Call {
    pub(crate) by: Party,
    pub(crate) token: Token,
    /// Since when it is under way; an answer counts anew.
    pub(crate) age: Ticks,
    pub(crate) state: CallState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum CallState {
    Request(Stage),
    Answer,
}

/// What must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A request of the owner is refused.
    SignedOut,
    /// The network is quiet, and the jar's cookie would be refused.
    DeadCookie,
    /// Two tokens can be refreshed independently of each other.
    Fork,
    /// Owner and thief were both answered in more generations after the theft than the rule allows.
    Hidden,
    /// A session that ended was answered for.
    Undead,
}

/// All that there is at a moment, with times relative to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State<R> {
    pub(crate) row: R,
    pub(crate) jar: Token,
    pub(crate) calls: Vec<Call>,
    /// By how much the store's clock is ahead.
    pub(crate) ahead: Ticks,
    pub(crate) stolen: Option<Token>,
    /// How many generations running had a window that ended with the jar left behind, and whether this one had.
    pub(crate) lost: (u8, bool),
    /// Who opened the window, where that matters.
    pub(crate) window_of: Option<Party>,
    /// Who was answered in this generation since the theft, and how many generations both were.
    pub(crate) answered: (bool, bool, u8),
    pub(crate) violation: Option<Violation>,
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A tab sends what the jar holds, or the thief what it holds.
    Send(Party),
    /// The node that works on this request makes its next call of the store.
    Step(usize),
    /// The answer arrives.
    Deliver(usize),
    /// The request or the answer is lost; also: the node crashes.
    Lose(usize),
    /// The thief copies the jar's cookie.
    Copy,
    /// Time passes.
    Tick,
    /// The store's clock is set ahead.
    SetAhead,
    /// The store's clock is set back.
    SetBack,
}

impl<R> State<R> {
    /// What is violated, if anything is.
    pub fn violation(&self) -> Option<Violation> {
        self.violation
    }
}
