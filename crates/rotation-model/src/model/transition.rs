//! The effects of actions.

use super::RotationModel;
use super::action::Action;
use super::config::Thief;
use super::property::Violation;
use super::state::{Message, MessageKind, Party, State};
use crate::rule::{Rule, SessionState as _, Stage, StepOutcome};

impl<R: Rule> RotationModel<R> {
    /// Returns the state after an action, or `None` if it exceeds the configured number of missed windows.
    pub(super) fn next(
        &self,
        before: &State<R::Session>,
        action: Action,
    ) -> Option<State<R::Session>> {
        let mut state = before.clone();
        match action {
            Action::Send(party) => {
                let token = match party {
                    Party::Owner => state.jar,
                    Party::Thief => state.stolen?,
                };
                let kind = MessageKind::Request(Stage::Begin { attempts: 0 });
                state.messages.push(Message { party, token, age: 0, kind });
            }
            Action::CallStore(index) => self.call_store(&mut state, index),
            Action::Deliver(index) => {
                let message = state.messages.remove(index);
                match message.party {
                    Party::Owner => state.jar = message.token,
                    Party::Thief => state.stolen = Some(message.token),
                }
            }
            Action::Lose(index) => {
                state.messages.remove(index);
            }
            Action::Steal => state.stolen = Some(state.jar),
            Action::Tick => {
                self.rule.advance_clock(&mut state.session, 1);
                for message in &mut state.messages {
                    message.age += 1;
                }
            }
            Action::SetClockAhead => {
                self.rule.advance_clock(&mut state.session, 1);
                state.clock_ahead += 1;
            }
            Action::SetClockBack => {
                self.rule.advance_clock(&mut state.session, -1);
                state.clock_ahead -= 1;
            }
        }
        if self.config.thief == Thief::Absent {
            let is_missed = self.is_left_behind(&state) && !self.is_left_behind(before);
            if is_missed && !self.note_missed_window(&mut state) {
                return None;
            }
            let is_quiet = state.messages.is_empty() && state.violation.is_none();
            if is_quiet && !self.rule.accepts(&state.session, state.jar) {
                state.violation = Some(Violation::DeadCookie);
            }
        }
        self.normalize(&mut state);
        Some(state)
    }

    fn call_store(&self, state: &mut State<R::Session>, index: usize) {
        let message = state.messages[index];
        let MessageKind::Request(stage) = message.kind else { return };
        let was_ended = state.session.is_ended();
        let was_in_window = self.rule.is_in_window(&state.session);
        let generation = state.session.generation();
        let outcome = self.rule.step(&mut state.session, message.token, stage);
        if state.session.generation() != generation {
            state.begin_generation();
        }
        if self.config.thief == Thief::Separate
            && !was_in_window
            && self.rule.is_in_window(&state.session)
        {
            state.window_opened_by = Some(message.party);
        }
        match outcome {
            StepOutcome::Next(stage) => state.messages[index].kind = MessageKind::Request(stage),
            StepOutcome::Accepted => {
                state.messages.remove(index);
                self.note_answer(state, message.party);
            }
            StepOutcome::TryLater => {
                state.messages.remove(index);
            }
            StepOutcome::Rejected => {
                state.messages.remove(index);
                if message.party == Party::Owner && self.config.thief == Thief::Absent {
                    state.violation = Some(Violation::SignedOut);
                }
            }
            StepOutcome::Answer(token) => {
                if was_ended {
                    state.violation = Some(Violation::EndedSessionAnswered);
                } else if self.config.forbids_forks
                    && self.rule.is_linear()
                    && !state.session.is_current(token)
                {
                    state.violation = Some(Violation::Fork);
                }
                self.note_answer(state, message.party);
                state.messages[index] =
                    Message { token, age: 0, kind: MessageKind::Response, ..message };
            }
        }
        if self.config.forbids_forks && state.session.lineages() > 1 {
            state.violation = Some(Violation::Fork);
        }
    }

    fn note_answer(&self, state: &mut State<R::Session>, party: Party) {
        if self.config.thief != Thief::Separate || state.stolen.is_none() {
            return;
        }
        let count = state.shared.count;
        state.shared.note_answer(party);
        if state.shared.count > count && state.shared.count > self.config.max_shared {
            state.violation = Some(Violation::TheftUndetected);
        }
    }

    /// Notes a missed window of the current generation. Returns whether the configuration allows it.
    fn note_missed_window(&self, state: &mut State<R::Session>) -> bool {
        let Some(max_missed) = self.config.max_missed else { return true };
        if state.missed.is_current_missed || state.missed.run == max_missed {
            return false;
        }
        state.missed.run += 1;
        state.missed.is_current_missed = true;
        true
    }
}
