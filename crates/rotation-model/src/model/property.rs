use stateright::Property;

use super::RotationModel;
use super::state::State;
use crate::rule::Rule;

/// A violation of a property.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Extent, Finding, Scenario, Shipped, Violation};
///
/// // An exchange that takes as long as the window can sign the user out.
/// let rule = Shipped::new(Extent::Small.grace(), 1, 0);
/// let Finding::Fails(found) = Scenario::SlowTabs.check(rule, Extent::Small) else { unreachable!() };
/// assert_eq!(found.violation, Violation::SignedOut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A request of the owner is rejected.
    SignedOut,
    /// No message is in flight, and the jar's cookie would be rejected.
    DeadCookie,
    /// Two tokens can be refreshed independently of each other.
    Fork,
    /// Owner and thief were both answered in more generations after the theft than the rule allows.
    TheftUndetected,
    /// A request for a session that has ended was answered.
    EndedSessionAnswered,
}

impl<R: Rule> RotationModel<R> {
    pub(super) fn all_properties() -> Vec<Property<Self>> {
        vec![
            Property::always("nobody is signed out", |_, state: &State<R::Session>| {
                state.violation != Some(Violation::SignedOut)
            }),
            Property::always("a quiet jar has a working cookie", |_, state: &State<R::Session>| {
                state.violation != Some(Violation::DeadCookie)
            }),
            Property::always("there is one lineage", |_, state: &State<R::Session>| {
                state.violation != Some(Violation::Fork)
            }),
            Property::always("a theft is detected", |_, state: &State<R::Session>| {
                state.violation != Some(Violation::TheftUndetected)
            }),
            Property::always("an ended session stays ended", |_, state: &State<R::Session>| {
                state.violation != Some(Violation::EndedSessionAnswered)
            }),
        ]
    }
}
