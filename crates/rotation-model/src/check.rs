use std::collections::HashSet;
use std::fmt;

use stateright::{Checker, HasDiscoveries, Model};

use crate::model::{Action, RotationModel, State, Violation};
use crate::rule::Rule;

/// The result of a check.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Extent, Scenario, Shipped};
///
/// let rule = Shipped::new(Extent::Small.grace(), 0, 0);
/// let finding = Scenario::Losses(1).check(rule, Extent::Small);
/// assert!(!finding.holds(), "a rule without late retries forgives no loss");
/// assert!(finding.to_string().starts_with("fails in "));
/// ```
#[derive(Debug)]
pub enum Finding {
    /// No state violates a property.
    Holds {
        /// The number of states.
        states: usize,
    },
    /// A state violates a property.
    Fails(Counterexample),
}

/// A shortest sequence of events that leads to a violation.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Extent, Finding, Scenario, Shipped};
///
/// let rule = Shipped::new(Extent::Small.grace(), 0, 0);
/// let Finding::Fails(found) = Scenario::Losses(1).check(rule, Extent::Small) else { unreachable!() };
/// assert!(found.events[0].starts_with("a tab of the owner sends token"));
/// ```
#[derive(Debug)]
pub struct Counterexample {
    /// The violation.
    pub violation: Violation,
    /// The events in plain English.
    pub events: Vec<String>,
}

impl Finding {
    /// Returns whether no state violates a property.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }
}

impl fmt::Display for Finding {
    /// Writes the cell of the table: `holds`, or `fails in 7 events`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { .. } => f.write_str("holds"),
            Self::Fails(found) => write!(f, "fails in {} events", found.events.len()),
        }
    }
}

/// Checks all states of a model with stateright. If it finds a violation, a search of this crate finds a shortest path
/// to one, because stateright returns the last violation that it visited.
pub(crate) fn check<R>(model: &RotationModel<R>) -> Finding
where
    R: Rule + Clone + 'static,
{
    let checker = model.clone().checker().threads(2).finish_when(HasDiscoveries::Any);
    let checker = checker.spawn_bfs().join();
    if checker.discoveries().is_empty() {
        return Finding::Holds { states: checker.unique_state_count() };
    }
    match shortest(model) {
        Some(found) => Finding::Fails(found),
        // A contradiction between the two searches must not count as a property that holds.
        None => unreachable!("stateright found a violation, and the breadth-first search did not"),
    }
}

/// Returns a shortest path to a violation by a breadth-first search.
fn shortest<R: Rule>(model: &RotationModel<R>) -> Option<Counterexample> {
    let mut states = model.init_states();
    // The index of the state before and the action, for each state that is not an initial one.
    let mut previous: Vec<Option<(usize, Action)>> = vec![None; states.len()];
    let mut known: HashSet<State<R::Session>> = HashSet::new();
    let mut actions = Vec::new();
    let mut next = 0;
    while next < states.len() {
        model.actions(&states[next], &mut actions);
        for action in actions.drain(..) {
            let Some(state) = model.next_state(&states[next], action) else { continue };
            if !model.within_boundary(&state) {
                continue;
            }
            let violation = state.violation;
            if known.insert(state.clone()) {
                states.push(state);
                previous.push(Some((next, action)));
                if let Some(violation) = violation {
                    let events = events(model, &states, &previous);
                    return Some(Counterexample { violation, events });
                }
            }
        }
        next += 1;
    }
    None
}

/// Describes the path to the last state.
fn events<R: Rule>(
    model: &RotationModel<R>,
    states: &[State<R::Session>],
    previous: &[Option<(usize, Action)>],
) -> Vec<String> {
    let mut events = Vec::new();
    let mut index = states.len() - 1;
    while let Some((before, action)) = previous[index] {
        events.push(model.describe(&states[before], action));
        index = before;
    }
    events.reverse();
    events
}
