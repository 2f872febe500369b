//! A model check of the rotation rule, and of the rules of others beside it.
//!
//! [`Shipped`] makes the very calls that `Sessions` makes, of the very functions of the core crate: the two
//! conditional writes of a store and the rule. [`World`] is what happens around them: tabs that share a cookie jar,
//! a network, nodes, a clock, a thief. States know times relative to now and generations relative to the current
//! one, so that their number is finite however long a session lives: what holds in all of them holds for all time,
//! for so many tabs and a network so slow.
//!
//! `cargo run --release -p tower-jwt-auth-rotation-model` prints the table of `docs/rotation.md`.

mod describe;
mod report;
mod rivals;
mod rule;
mod scenarios;
mod search;
mod shipped;
mod state;
mod world;

pub use self::report::{Cell, Row, Table};
pub use self::rivals::{Family, FamilyRule, Linear, LinearRule};
pub use self::rule::{Rule, Stage, Step, Ticks, Token};
pub use self::scenarios::{Extent, Scenario};
pub use self::search::{Counterexample, Finding, check};
pub use self::shipped::{Mutation, Shipped};
pub use self::state::{Action, Party, Size, State, Thief, Violation};
pub use self::world::World;
