use super::RotationModel;
use super::property::Violation;
use crate::rule::{Rule, SessionState as _, Stage, Ticks, Token};

/// The sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Party {
    /// The sender is a tab of the session's owner.
    Owner,
    /// The sender has copied the cookie.
    Thief,
}

/// A request in flight, or its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Message {
    pub(crate) party: Party,
    pub(crate) token: Token,
    /// The time in flight, counted separately for a request and its response.
    pub(crate) age: Ticks,
    pub(crate) kind: MessageKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum MessageKind {
    Request(Stage),
    Response,
}

impl Message {
    pub(crate) fn is_request(&self) -> bool {
        matches!(self.kind, MessageKind::Request(_))
    }
}

/// A state of the model. Times are relative to now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State<S> {
    pub(crate) session: S,
    /// The token in the owner's cookie jar.
    pub(crate) jar: Token,
    pub(crate) messages: Vec<Message>,
    /// The time by which the store's clock is ahead.
    pub(crate) clock_ahead: Ticks,
    /// The thief's token.
    pub(crate) stolen: Option<Token>,
    pub(crate) missed: MissedWindows,
    /// The party that opened the window, if the thief is separate.
    pub(crate) window_opened_by: Option<Party>,
    pub(crate) shared: SharedGenerations,
    pub(crate) violation: Option<Violation>,
}

/// The windows at whose end the jar, or a request that is not decided, is behind the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct MissedWindows {
    /// The number of consecutive generations that have one.
    pub(crate) run: u8,
    /// Whether the current generation has one.
    pub(crate) is_current_missed: bool,
}

/// The generations after the theft in which owner and thief were both answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SharedGenerations {
    pub(crate) is_owner_answered: bool,
    pub(crate) is_thief_answered: bool,
    pub(crate) count: u8,
}

impl SharedGenerations {
    fn is_shared(self) -> bool {
        self.is_owner_answered && self.is_thief_answered
    }

    /// Notes an answer to a party in the current generation.
    pub(crate) fn note_answer(&mut self, party: Party) {
        let was_shared = self.is_shared();
        match party {
            Party::Owner => self.is_owner_answered = true,
            Party::Thief => self.is_thief_answered = true,
        }
        if self.is_shared() && !was_shared {
            self.count += 1;
        }
    }
}

impl<S> State<S> {
    pub(crate) fn new(session: S, jar: Token) -> Self {
        Self {
            session,
            jar,
            messages: Vec::new(),
            clock_ahead: 0,
            stolen: None,
            missed: MissedWindows::default(),
            window_opened_by: None,
            // The generation of the theft does not count.
            shared: SharedGenerations {
                is_owner_answered: true,
                is_thief_answered: true,
                count: 0,
            },
            violation: None,
        }
    }

    /// Begins a new generation.
    pub(crate) fn begin_generation(&mut self) {
        let run = if self.missed.is_current_missed { self.missed.run } else { 0 };
        self.missed = MissedWindows { run, is_current_missed: false };
        (self.shared.is_owner_answered, self.shared.is_thief_answered) = (false, false);
    }
}

impl<R: Rule> RotationModel<R> {
    /// Returns whether the window is over, and the jar or a request that is not decided is behind the session.
    pub(super) fn is_left_behind(&self, state: &State<R::Session>) -> bool {
        let is_current = |token| state.session.is_current(token);
        let of_owner = |message: &&Message| message.party == Party::Owner;
        let mut requests = state.messages.iter().filter(of_owner).filter(|m| m.is_request());
        let mut responses = state.messages.iter().filter(of_owner).filter(|m| !m.is_request());
        let is_jar_behind = !is_current(state.jar) && !responses.any(|m| is_current(m.token));
        !self.rule.is_in_window(&state.session)
            && (is_jar_behind || requests.any(|m| !is_current(m.token)))
    }

    /// Makes states equal if their differences have no effect.
    pub(super) fn normalize(&self, state: &mut State<R::Session>) {
        let mut tokens: Vec<&mut Token> =
            state.messages.iter_mut().map(|message| &mut message.token).collect();
        tokens.push(&mut state.jar);
        tokens.extend(&mut state.stolen);
        self.rule.normalize(&mut state.session, &mut tokens);
        if self.config.requests_in_order {
            // Requests keep their order. Responses have no order among each other.
            state.messages.sort_by_key(|message| (!message.is_request()).then_some(*message));
        } else {
            state.messages.sort_unstable();
        }
        if !self.rule.is_in_window(&state.session) {
            state.window_opened_by = None;
        }
    }
}
