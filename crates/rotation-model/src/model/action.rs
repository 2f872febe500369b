use super::RotationModel;
use super::state::{MessageKind, Party, State};
use crate::rule::{Rule, Stage, StepOutcome};

/// An event of the model. Messages are identified by their index in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A tab sends the token of the jar, or the thief sends its token.
    Send(Party),
    /// The node that handles the request makes its next call of the store.
    CallStore(usize),
    /// The response arrives.
    Deliver(usize),
    /// The request or response is lost, or the node crashes.
    Lose(usize),
    /// The thief copies the jar's cookie.
    Steal,
    /// One tick passes.
    Tick,
    /// The store's clock is set ahead by one tick.
    SetClockAhead,
    /// The store's clock is set back by one tick.
    SetClockBack,
}

impl<R: Rule> RotationModel<R> {
    /// Describes an action in plain English. Tokens have their numbers in this state.
    pub(crate) fn describe(&self, state: &State<R::Session>, action: Action) -> String {
        match action {
            Action::Send(Party::Owner) => format!("a tab of the owner sends token {}", state.jar),
            Action::Send(Party::Thief) => {
                format!("the thief sends token {}", state.stolen.unwrap_or_default())
            }
            Action::CallStore(index) => self.describe_call(state, index),
            Action::Deliver(index) => {
                let message = state.messages[index];
                format!("token {} reaches the {}", message.token, name(message.party))
            }
            Action::Lose(index) => match state.messages[index].kind {
                MessageKind::Request(_) => "a request is lost".to_owned(),
                MessageKind::Response => {
                    format!("the response with token {} is lost", state.messages[index].token)
                }
            },
            Action::Steal => format!("the thief copies token {}", state.jar),
            Action::Tick => "a tick passes".to_owned(),
            Action::SetClockAhead => "the clock is set ahead".to_owned(),
            Action::SetClockBack => "the clock is set back".to_owned(),
        }
    }

    fn describe_call(&self, state: &State<R::Session>, index: usize) -> String {
        let (message, mut session) = (state.messages[index], state.session.clone());
        let MessageKind::Request(stage) = message.kind else { return String::new() };
        let outcome = match self.rule.step(&mut session, message.token, stage) {
            StepOutcome::Next(Stage::Load { .. }) => "the write does not apply".to_owned(),
            StepOutcome::Next(Stage::RetryLate { .. }) => "the rule finds a late retry".to_owned(),
            StepOutcome::Next(Stage::End) => "the rule finds reuse".to_owned(),
            StepOutcome::Next(Stage::Begin { .. }) => "the node starts over".to_owned(),
            StepOutcome::Answer(token) => format!("the response is token {token}"),
            StepOutcome::Accepted => "the request is accepted".to_owned(),
            StepOutcome::Rejected => {
                "the request is rejected, and the session has ended".to_owned()
            }
            StepOutcome::TryLater => "the client is to try again later".to_owned(),
        };
        format!(
            "the store is called for the {}'s token {}: {outcome}",
            name(message.party),
            message.token
        )
    }
}

fn name(party: Party) -> &'static str {
    match party {
        Party::Owner => "owner",
        Party::Thief => "thief",
    }
}
