//! The actions that are enabled in a state.

use super::RotationModel;
use super::action::Action;
use super::config::Thief;
use super::state::{Message, MessageKind, Party, State};
use crate::rule::Rule;

impl<R: Rule> RotationModel<R> {
    pub(super) fn enabled(&self, state: &State<R::Session>, actions: &mut Vec<Action>) {
        if state.violation.is_some() {
            return;
        }
        for party in [Party::Owner, Party::Thief] {
            if self.can_send(state, party) {
                actions.push(Action::Send(party));
            }
        }
        for (index, message) in state.messages.iter().enumerate() {
            // Equal messages lead to equal states.
            if index > 0 && state.messages[index - 1] == *message && !self.config.requests_in_order
            {
                continue;
            }
            if self.can_call_store(state, index) {
                actions.push(Action::CallStore(index));
            }
            if self.can_deliver(state, index) {
                actions.push(Action::Deliver(index));
            }
            if self.config.has_losses && message.party == Party::Owner {
                actions.push(Action::Lose(index));
            }
        }
        if self.config.thief != Thief::Absent && state.stolen.is_none() {
            actions.push(Action::Steal);
        }
        if self.can_tick(state) {
            actions.push(Action::Tick);
        }
        if state.clock_ahead < self.config.clock_margin {
            actions.push(Action::SetClockAhead);
        }
        if state.clock_ahead > 0 {
            actions.push(Action::SetClockBack);
        }
    }

    fn can_send(&self, state: &State<R::Session>, party: Party) -> bool {
        let in_flight = state.messages.iter().filter(|message| message.party == party).count();
        let is_allowed = self.config.thief != Thief::Separate
            || state.messages.is_empty()
                && (!self.rule.is_in_window(&state.session)
                    || state.window_opened_by == Some(party));
        match party {
            Party::Owner => in_flight < self.config.tabs && is_allowed,
            Party::Thief => state.stolen.is_some() && in_flight == 0 && is_allowed,
        }
    }

    fn can_call_store(&self, state: &State<R::Session>, index: usize) -> bool {
        let message = &state.messages[index];
        let is_earlier_request =
            |other: &Message| other.is_request() && other.party == message.party;
        // Requests are in the order in which they were sent if that order matters.
        message.is_request()
            && (!self.config.requests_in_order
                || message.party == Party::Thief
                || !state.messages[..index].iter().any(is_earlier_request))
    }

    fn can_deliver(&self, state: &State<R::Session>, index: usize) -> bool {
        let message = &state.messages[index];
        let is_earlier_response = |other: &Message| {
            other.party == message.party
                && other.kind == MessageKind::Response
                && (other.age > message.age
                    || other.age == message.age && other.token < message.token)
        };
        message.kind == MessageKind::Response
            && !(self.config.responses_in_order && state.messages.iter().any(is_earlier_response))
    }

    fn can_tick(&self, state: &State<R::Session>) -> bool {
        state.messages.iter().all(|message| {
            let max_age = match message.kind {
                MessageKind::Request(_) => self.config.max_request,
                MessageKind::Response => self.config.max_response,
            };
            message.age < max_age
        })
    }
}
