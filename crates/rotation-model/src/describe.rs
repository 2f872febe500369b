use crate::rule::{Rule, Stage, Step};
use crate::state::{Action, CallState, Party, State};
use crate::world::World;

impl<R: Rule> World<R> {
    /// What happens, in words; tokens by their number in this state.
    pub fn describe(&self, state: &State<R::Row>, action: Action) -> String {
        let whose = |number: usize| match state.calls[number].by {
            Party::Owner => "owner",
            Party::Thief => "thief",
        };
        match action {
            Action::Send(Party::Owner) => format!("a tab of the owner sends token {}", state.jar),
            Action::Send(Party::Thief) => {
                format!("the thief sends token {}", state.stolen.unwrap_or_default())
            }
            Action::Step(number) => {
                let (call, mut row) = (state.calls[number], state.row.clone());
                let CallState::Request(stage) = call.state else { return String::new() };
                let outcome = match self.rule.step(&mut row, call.token, stage) {
                    Step::Next(Stage::Load { .. }) => "the write does not apply".to_owned(),
                    Step::Next(Stage::RetryLate { .. }) => "the row says: late retry".to_owned(),
                    Step::Next(Stage::End) => "the row says: reuse".to_owned(),
                    Step::Next(Stage::Begin { .. }) => "it is begun again".to_owned(),
                    Step::Answer(token) => format!("the answer is token {token}"),
                    Step::Accepted => "it is accepted".to_owned(),
                    Step::Refused => "it is refused, and the session is over".to_owned(),
                    Step::TryLater => "it is to be tried later".to_owned(),
                };
                format!(
                    "the store is asked for the {}'s token {}: {outcome}",
                    whose(number),
                    call.token
                )
            }
            Action::Deliver(number) => {
                format!("token {} reaches the {}", state.calls[number].token, whose(number))
            }
            Action::Lose(number) => match state.calls[number].state {
                CallState::Request(_) => "a request is lost".to_owned(),
                CallState::Answer => {
                    format!("the answer with token {} is lost", state.calls[number].token)
                }
            },
            Action::Copy => format!("the thief copies token {}", state.jar),
            Action::Tick => "a tick passes".to_owned(),
            Action::SetAhead => "the clock is set ahead".to_owned(),
            Action::SetBack => "the clock is set back".to_owned(),
        }
    }
}
