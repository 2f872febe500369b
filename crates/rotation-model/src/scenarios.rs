use crate::check::{Finding, check};
use crate::model::{ModelConfig, RotationModel, Thief};
use crate::rule::{Rule, Ticks};

/// The extent of the models.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::Extent;
///
/// assert!(Extent::Small.grace() < Extent::Full.grace());
/// assert_eq!(Extent::Small.clock_margin(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The models are small, for tests.
    Small,
    /// The models are those of the table in `docs/rotation.md`.
    Full,
}

impl Extent {
    /// Returns the grace window.
    pub fn grace(self) -> Ticks {
        self.config().grace
    }

    /// Returns the maximum by which the store's clock is set.
    pub fn clock_margin(self) -> Ticks {
        self.config().clock_margin
    }

    /// Returns a model of honest tabs without further assumptions.
    fn config(self) -> ModelConfig {
        let small = ModelConfig {
            tabs: 3,
            grace: 4,
            max_request: 2,
            max_response: 1,
            clock_margin: 0,
            has_losses: false,
            max_missed: None,
            requests_in_order: false,
            responses_in_order: false,
            forbids_forks: false,
            thief: Thief::Absent,
            max_shared: 0,
        };
        match self {
            Self::Small => small,
            Self::Full => ModelConfig {
                tabs: 4,
                grace: 8,
                max_request: 4,
                max_response: 2,
                clock_margin: 1,
                ..small
            },
        }
    }
}

/// A property with its assumptions.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Extent, Scenario, Shipped};
///
/// let rule = Shipped::new(Extent::Small.grace(), 1, 0);
/// assert!(Scenario::Losses(1).check(rule, Extent::Small).holds());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Nothing is lost, responses arrive in order, and an exchange takes less than the grace window minus the margin of
    /// the clock.
    Tabs,
    /// The scenario is `Tabs` with exchanges that take as long as the window.
    SlowTabs,
    /// Requests and responses are lost, nodes crash, and responses overtake each other. The store decides about
    /// requests in the order in which they were sent. At most this many consecutive generations have a missed window,
    /// with one in each.
    Losses(u8),
    /// The scenario is `Losses` with requests that overtake each other.
    LossesAndOvertaking(u8),
    /// A thief sends its token at any time, and messages are lost. There is one lineage, and an ended session stays
    /// ended.
    FreeThief,
    /// A thief and an owner who refresh outside of each other's windows are both answered in at most this many
    /// generations after the theft.
    SeparateThief(u8),
}

impl Scenario {
    fn config(self, extent: Extent) -> ModelConfig {
        let config = extent.config();
        match self {
            Self::Tabs => ModelConfig { responses_in_order: true, ..config },
            Self::SlowTabs => {
                let max_request = config.grace - config.max_response;
                ModelConfig { responses_in_order: true, max_request, ..config }
            }
            Self::Losses(max_missed) => ModelConfig {
                has_losses: true,
                max_missed: Some(max_missed),
                requests_in_order: true,
                ..config
            },
            Self::LossesAndOvertaking(max_missed) => {
                ModelConfig { has_losses: true, max_missed: Some(max_missed), ..config }
            }
            Self::FreeThief => {
                // Each further tab multiplies the number of states by some 60.
                let (tabs, grace) = match extent {
                    Extent::Small => (1, 3),
                    Extent::Full => (2, 5),
                };
                ModelConfig {
                    tabs,
                    grace,
                    max_request: 2,
                    max_response: 1,
                    has_losses: true,
                    forbids_forks: true,
                    thief: Thief::Free,
                    ..config
                }
            }
            // A clock that is set back would open windows again.
            Self::SeparateThief(max_shared) => ModelConfig {
                tabs: 1,
                clock_margin: 0,
                thief: Thief::Separate,
                max_shared,
                ..config
            },
        }
    }

    /// Checks a rule in this scenario.
    pub fn check<R>(self, rule: R, extent: Extent) -> Finding
    where
        R: Rule + Clone + 'static,
    {
        check(&RotationModel { rule, config: self.config(extent) })
    }
}
