use stateright::{Model, Property};

use crate::rule::{Rule, Stage, Step, Token};
use crate::state::{Action, Call, CallState, Party, Size, State, Thief, Violation};

/// A rule in a world.
#[derive(Clone, Debug)]
pub struct World<R> {
    /// The rule.
    pub rule: R,
    /// What can happen.
    pub size: Size,
    /// In how many generations after a theft the rule lets owner and thief be answered both, while they keep apart.
    pub shared: u8,
}

impl<R: Rule> World<R> {
    /// Whether the call may go on now.
    fn may_step(&self, state: &State<R::Row>, number: usize) -> bool {
        let call = &state.calls[number];
        let is_request = |call: &Call| matches!(call.state, CallState::Request(_));
        if !is_request(call) {
            return false;
        }
        // Calls are in the order of their sending where that matters.
        !self.size.requests_in_order
            || call.by == Party::Thief
            || !state.calls[..number].iter().any(|other| is_request(other) && other.by == call.by)
    }

    fn may_send(&self, state: &State<R::Row>, by: Party) -> bool {
        let under_way = state.calls.iter().filter(|call| call.by == by).count();
        let is_apart = self.size.thief != Thief::Apart
            || state.calls.is_empty()
                && (!self.rule.is_in_window(&state.row) || state.window_of == Some(by));
        match by {
            Party::Owner => under_way < self.size.tabs && is_apart,
            Party::Thief => state.stolen.is_some() && under_way == 0 && is_apart,
        }
    }

    fn may_tick(&self, state: &State<R::Row>) -> bool {
        state.calls.iter().all(|call| {
            let most = match call.state {
                CallState::Request(_) => self.size.max_request,
                CallState::Answer => self.size.max_answer,
            };
            call.age < most
        })
    }

    fn may_deliver(&self, state: &State<R::Row>, number: usize) -> bool {
        let call = &state.calls[number];
        let is_later = |other: &Call| {
            other.by == call.by
                && other.state == CallState::Answer
                && (other.age > call.age || other.age == call.age && other.token < call.token)
        };
        call.state == CallState::Answer
            && !(self.size.answers_in_order && state.calls.iter().any(is_later))
    }

    /// Whether the window is over, and the jar or a request that the store has not judged is behind the session.
    fn is_left_behind(&self, state: &State<R::Row>) -> bool {
        let is_current = |token| self.rule.is_current(&state.row, token);
        let brings_the_current = |call: &Call| {
            call.by == Party::Owner && call.state == CallState::Answer && is_current(call.token)
        };
        let is_behind = |call: &Call| {
            call.by == Party::Owner && call.state != CallState::Answer && !is_current(call.token)
        };
        let is_jar_behind = !is_current(state.jar) && !state.calls.iter().any(brings_the_current);
        !self.rule.is_in_window(&state.row) && (is_jar_behind || state.calls.iter().any(is_behind))
    }

    fn step(&self, state: &mut State<R::Row>, number: usize) {
        let call = state.calls[number];
        let CallState::Request(stage) = call.state else { return };
        let was_ended = self.rule.is_ended(&state.row);
        let before = (self.rule.generation(&state.row), self.rule.is_in_window(&state.row));
        let step = self.rule.step(&mut state.row, call.token, stage);
        if self.rule.generation(&state.row) != before.0 {
            state.lost = (if state.lost.1 { state.lost.0 } else { 0 }, false);
            state.answered = (false, false, state.answered.2);
        }
        if self.size.thief == Thief::Apart && !before.1 && self.rule.is_in_window(&state.row) {
            state.window_of = Some(call.by);
        }
        match step {
            Step::Next(stage) => state.calls[number].state = CallState::Request(stage),
            Step::Accepted | Step::TryLater => {
                state.calls.remove(number);
                if step == Step::Accepted {
                    self.note_answered(state, call.by);
                }
            }
            Step::Refused => {
                state.calls.remove(number);
                if call.by == Party::Owner && self.size.thief == Thief::Absent {
                    state.violation = Some(Violation::SignedOut);
                }
            }
            Step::Answer(token) => {
                if was_ended {
                    state.violation = Some(Violation::Undead);
                } else if self.size.one_lineage
                    && self.rule.is_linear()
                    && !self.rule.is_current(&state.row, token)
                {
                    state.violation = Some(Violation::Fork);
                }
                self.note_answered(state, call.by);
                state.calls[number] =
                    Call { token, age: 0, state: CallState::Answer, ..state.calls[number] };
            }
        }
        if self.size.one_lineage && self.rule.lineages(&state.row) > 1 {
            state.violation = Some(Violation::Fork);
        }
    }

    fn note_answered(&self, state: &mut State<R::Row>, by: Party) {
        if self.size.thief != Thief::Apart || state.stolen.is_none() {
            return;
        }
        let before = state.answered;
        match by {
            Party::Owner => state.answered.0 = true,
            Party::Thief => state.answered.1 = true,
        }
        let both = |(owner, thief, _): (bool, bool, u8)| owner && thief;
        if both(state.answered) && !both(before) {
            state.answered.2 += 1;
            if state.answered.2 > self.shared {
                state.violation = Some(Violation::Hidden);
            }
        }
    }

    /// Brings states that differ by nothing that matters to one form.
    fn normalize(&self, state: &mut State<R::Row>) {
        let mut tokens: Vec<&mut Token> =
            state.calls.iter_mut().map(|call| &mut call.token).collect();
        tokens.push(&mut state.jar);
        tokens.extend(&mut state.stolen);
        self.rule.normalize(&mut state.row, &mut tokens);
        if self.size.requests_in_order {
            // Answers have no order among them.
            let is_answer = |call: &Call| call.state == CallState::Answer;
            state.calls.sort_by_key(|call| is_answer(call).then_some(*call));
        } else {
            state.calls.sort_unstable();
        }
        if !self.rule.is_in_window(&state.row) {
            state.window_of = None;
        }
    }
}

impl<R: Rule> Model for World<R> {
    type State = State<R::Row>;
    type Action = Action;

    fn init_states(&self) -> Vec<Self::State> {
        let (row, jar) = self.rule.start();
        vec![State {
            row,
            jar,
            calls: Vec::new(),
            ahead: 0,
            stolen: None,
            lost: (0, false),
            window_of: None,
            answered: (true, true, 0),
            violation: None,
        }]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Action>) {
        if state.violation.is_some() {
            return;
        }
        for by in [Party::Owner, Party::Thief] {
            if self.may_send(state, by) {
                actions.push(Action::Send(by));
            }
        }
        for (number, call) in state.calls.iter().enumerate() {
            // Of calls that are alike one will do.
            if number > 0 && state.calls[number - 1] == *call && !self.size.requests_in_order {
                continue;
            }
            if self.may_step(state, number) {
                actions.push(Action::Step(number));
            }
            if self.may_deliver(state, number) {
                actions.push(Action::Deliver(number));
            }
            if self.size.losses && call.by == Party::Owner {
                actions.push(Action::Lose(number));
            }
        }
        if self.size.thief != Thief::Absent && state.stolen.is_none() {
            actions.push(Action::Copy);
        }
        if self.may_tick(state) {
            actions.push(Action::Tick);
        }
        if state.ahead < self.size.margin {
            actions.push(Action::SetAhead);
        }
        if state.ahead > 0 {
            actions.push(Action::SetBack);
        }
    }

    fn next_state(&self, before: &Self::State, action: Action) -> Option<Self::State> {
        let mut state = before.clone();
        match action {
            Action::Send(by) => {
                let token = match by {
                    Party::Owner => state.jar,
                    Party::Thief => state.stolen?,
                };
                let state_of_call = CallState::Request(Stage::Begin { tries: 0 });
                state.calls.push(Call { by, token, age: 0, state: state_of_call });
            }
            Action::Step(number) => self.step(&mut state, number),
            Action::Deliver(number) => {
                let call = state.calls.remove(number);
                match call.by {
                    Party::Owner => state.jar = call.token,
                    Party::Thief => state.stolen = Some(call.token),
                }
            }
            Action::Lose(number) => {
                state.calls.remove(number);
            }
            Action::Copy => state.stolen = Some(state.jar),
            Action::Tick => {
                self.rule.pass(&mut state.row, 1);
                for call in &mut state.calls {
                    call.age += 1;
                }
            }
            Action::SetAhead => {
                self.rule.pass(&mut state.row, 1);
                state.ahead += 1;
            }
            Action::SetBack => {
                self.rule.pass(&mut state.row, -1);
                state.ahead -= 1;
            }
        }
        if self.size.thief == Thief::Absent {
            if self.is_left_behind(&state) && !self.is_left_behind(before) {
                let (run, has_been) = state.lost;
                if let Some(most) = self.size.left_behind {
                    if has_been || run == most {
                        // More than is assumed.
                        return None;
                    }
                    state.lost = (run + 1, true);
                }
            }
            let is_quiet = state.calls.is_empty() && state.violation.is_none();
            if is_quiet && !self.rule.accepts(&state.row, state.jar) {
                state.violation = Some(Violation::DeadCookie);
            }
        }
        self.normalize(&mut state);
        Some(state)
    }

    fn within_boundary(&self, state: &Self::State) -> bool {
        self.rule.is_within_bounds(&state.row)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nobody is signed out", |_, state: &Self::State| {
                state.violation != Some(Violation::SignedOut)
            }),
            Property::always("a quiet jar has a working cookie", |_, state: &Self::State| {
                state.violation != Some(Violation::DeadCookie)
            }),
            Property::always("there is one lineage", |_, state: &Self::State| {
                state.violation != Some(Violation::Fork)
            }),
            Property::always("a thief is found", |_, state: &Self::State| {
                state.violation != Some(Violation::Hidden)
            }),
            Property::always("what ended stays ended", |_, state: &Self::State| {
                state.violation != Some(Violation::Undead)
            }),
        ]
    }
}
