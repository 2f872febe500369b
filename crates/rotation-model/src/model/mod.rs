//! The model around a rule: tabs with a shared cookie jar, a network, nodes, a clock, a thief.

mod action;
mod config;
mod enabled;
mod property;
mod state;
mod transition;

use stateright::{Model, Property};

pub(crate) use self::action::Action;
pub(crate) use self::config::{ModelConfig, Thief};
pub use self::property::Violation;
pub(crate) use self::state::State;
use crate::rule::Rule;

/// A rule, and the bounds within which it is checked.
#[derive(Clone, Debug)]
pub(crate) struct RotationModel<R> {
    pub(crate) rule: R,
    pub(crate) config: ModelConfig,
}

impl<R: Rule> Model for RotationModel<R> {
    type State = State<R::Session>;
    type Action = Action;

    fn init_states(&self) -> Vec<Self::State> {
        let (session, jar) = self.rule.start();
        vec![State::new(session, jar)]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Action>) {
        self.enabled(state, actions);
    }

    fn next_state(&self, state: &Self::State, action: Action) -> Option<Self::State> {
        self.next(state, action)
    }

    fn within_boundary(&self, state: &Self::State) -> bool {
        self.rule.is_within_bounds(&state.session)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Self::all_properties()
    }
}
