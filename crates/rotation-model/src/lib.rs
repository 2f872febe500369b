//! A model check of the rotation rule, and of the rules of other projects for comparison.
//!
//! [`Shipped`] makes the calls of `Sessions` with the functions of the core crate: the two conditional writes of a
//! store and the rule. A [`Scenario`] is a model around them: tabs with a shared cookie jar, a network, nodes, a clock,
//! a thief. States hold times relative to now and generations relative to the current one, so that their number is
//! finite however long a session lives. A property that holds in all of them holds at any time, for that number of tabs
//! and a network of that speed.
//!
//! `cargo run --release -p tower-jwt-auth-rotation-model` prints the table of `docs/rotation.md`.

mod check;
mod linear_session;
mod model;
mod report;
mod rivals;
mod rule;
mod scenarios;
mod shipped;

pub use self::check::{Counterexample, Finding};
pub use self::linear_session::LinearSession;
pub use self::model::Violation;
pub use self::report::{Cell, Row, Table};
pub use self::rule::{Rule, SessionState, Stage, StepOutcome, Ticks, Token};
pub use self::scenarios::{Extent, Scenario};
pub use self::shipped::{Mutation, Shipped};
