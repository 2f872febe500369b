use crate::rule::Ticks;

/// The bounds of a model and the events that can happen in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelConfig {
    /// The number of tabs that share the cookie jar. Each has at most one request in flight.
    pub(crate) tabs: usize,
    /// The grace window.
    pub(crate) grace: Ticks,
    /// The maximum time from the sending of a request to the decision of the store.
    pub(crate) max_request: Ticks,
    /// The maximum time that a response is in flight.
    pub(crate) max_response: Ticks,
    /// The maximum by which the store's clock is set ahead and back again.
    pub(crate) clock_margin: Ticks,
    /// Whether messages can be lost and nodes can crash between a write and its response.
    pub(crate) has_losses: bool,
    /// The maximum number of consecutive generations that have a missed window, with at most one in each. `None` stands
    /// for any number.
    pub(crate) max_missed: Option<u8>,
    /// Whether the store decides about the jar's requests in the order in which they were sent.
    pub(crate) requests_in_order: bool,
    /// Whether responses arrive at the jar in the order in which they were made.
    pub(crate) responses_in_order: bool,
    /// Whether a second lineage is a violation.
    pub(crate) forbids_forks: bool,
    /// The thief.
    pub(crate) thief: Thief,
    /// The maximum number of generations after a theft in which the rule answers both owner and thief while they are
    /// separate.
    pub(crate) max_shared: u8,
}

/// A thief who copies the jar's cookie once, at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thief {
    /// There is no thief.
    Absent,
    /// The thief sends its token at any time. It may know `last_seen`.
    Free,
    /// Owner and thief refresh outside of the windows that the other one has opened, one request after the other.
    Separate,
}
