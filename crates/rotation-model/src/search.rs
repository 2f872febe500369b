use std::collections::HashSet;
use std::fmt;

use stateright::{Checker, HasDiscoveries, Model};

use crate::rule::Rule;
use crate::state::{Action, State, Violation};
use crate::world::World;

/// What the checker found in a world.
#[derive(Debug)]
pub enum Finding {
    /// Nothing is violated in any state, of which there are so many.
    Holds {
        /// How many states there are.
        states: usize,
    },
    /// The shortest way to a violation.
    Fails(Counterexample),
}

/// The events that lead to a violation, none of which can be left out.
#[derive(Debug)]
pub struct Counterexample {
    /// What is violated.
    pub violation: Violation,
    /// What happens, event by event.
    pub events: Vec<String>,
}

impl Finding {
    /// Whether nothing is violated.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { .. } => f.write_str("holds"),
            Self::Fails(found) => write!(f, "fails in {} events", found.events.len()),
        }
    }
}

/// Looks through all states of a world, with stateright. Where it finds a violation, looks for the shortest way to
/// one: stateright gives the last one that it came by.
pub fn check<R>(world: &World<R>) -> Finding
where
    R: Rule + Clone + 'static,
{
    let checker = world.clone().checker().threads(2).finish_when(HasDiscoveries::Any);
    let checker = checker.spawn_bfs().join();
    if checker.discoveries().is_empty() {
        return Finding::Holds { states: checker.unique_state_count() };
    }
    match shortest(world) {
        Some(found) => Finding::Fails(found),
        // A checker that contradicts itself must not be read as one that found nothing.
        None => unreachable!("stateright found a violation, and the search in breadth none"),
    }
}

/// The shortest way to a violation, by a search in breadth.
fn shortest<R: Rule>(world: &World<R>) -> Option<Counterexample> {
    let mut states = world.init_states();
    // How each state was first come by; the first ones come from nowhere.
    let mut from: Vec<Option<(usize, Action)>> = vec![None; states.len()];
    let mut known: HashSet<State<R::Row>> = HashSet::new();
    let mut actions = Vec::new();
    let mut next = 0;
    while next < states.len() {
        world.actions(&states[next], &mut actions);
        for action in actions.drain(..) {
            let Some(state) = world.next_state(&states[next], action) else { continue };
            if !world.within_boundary(&state) {
                continue;
            }
            let violation = state.violation();
            if known.insert(state.clone()) {
                states.push(state);
                from.push(Some((next, action)));
                if let Some(violation) = violation {
                    let events = events(world, &states, &from);
                    return Some(Counterexample { violation, events });
                }
            }
        }
        next += 1;
    }
    None
}

fn events<R: Rule>(
    world: &World<R>,
    states: &[State<R::Row>],
    from: &[Option<(usize, Action)>],
) -> Vec<String> {
    let mut events = Vec::new();
    let mut at = states.len() - 1;
    while let Some((before, action)) = from[at] {
        events.push(world.describe(&states[before], action));
        at = before;
    }
    events.reverse();
    events
}
