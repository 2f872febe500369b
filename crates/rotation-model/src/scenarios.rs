use crate::rule::{Rule, Ticks};
use crate::search::{Finding, check};
use crate::state::{Size, Thief};
use crate::world::World;

/// How large the worlds are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// For the tests.
    Small,
    /// For the table.
    Full,
}

impl Extent {
    /// The grace window that goes with it, in ticks.
    pub fn grace(self) -> Ticks {
        self.size().grace
    }

    /// Honest tabs, of which nothing is assumed but what the property says.
    fn size(self) -> Size {
        let small = Size {
            tabs: 3,
            grace: 4,
            max_request: 2,
            max_answer: 1,
            margin: 0,
            losses: false,
            left_behind: None,
            requests_in_order: false,
            answers_in_order: false,
            one_lineage: false,
            thief: Thief::Absent,
        };
        match self {
            Self::Small => small,
            Self::Full => {
                Size { tabs: 4, grace: 8, max_request: 4, max_answer: 2, margin: 1, ..small }
            }
        }
    }
}

/// The properties, each with what it assumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Nothing is lost, answers arrive in order, and an exchange takes less than the grace window less the margin of
    /// the clock.
    Tabs,
    /// As `Tabs`, with exchanges that take as long as the window.
    SlowTabs,
    /// Requests and answers are lost and nodes crash, answers overtake each other; requests are judged in the order
    /// of their sending, and something is left behind at the end of a window in this many generations running, once
    /// in each.
    Losses(u8),
    /// As `Losses`, with requests that overtake each other.
    LossesAndOvertaking(u8),
    /// A thief who sends at any moment, with losses: one lineage, and what ended stays ended.
    FreeThief,
    /// A thief and an owner who refresh outside of each other's windows are both answered in this many generations
    /// after the theft at most.
    ApartThief(u8),
}

impl Scenario {
    fn size(self, extent: Extent) -> Size {
        let size = extent.size();
        match self {
            Self::Tabs => Size { answers_in_order: true, ..size },
            Self::SlowTabs => {
                Size { answers_in_order: true, max_request: size.grace - size.max_answer, ..size }
            }
            Self::Losses(k) => {
                Size { losses: true, left_behind: Some(k), requests_in_order: true, ..size }
            }
            Self::LossesAndOvertaking(k) => Size { losses: true, left_behind: Some(k), ..size },
            Self::FreeThief => {
                // Each further tab multiplies the states by some 60.
                let grace = if extent == Extent::Full { 5 } else { 3 };
                let tabs = if extent == Extent::Full { 2 } else { 1 };
                let size = Size { tabs, grace, max_request: 2, max_answer: 1, ..size };
                Size { losses: true, one_lineage: true, thief: Thief::Free, ..size }
            }
            // A clock that is set back would open windows again.
            Self::ApartThief(_) => Size { tabs: 1, margin: 0, thief: Thief::Apart, ..size },
        }
    }

    /// Looks through the world of this scenario.
    pub fn check<R>(self, rule: R, extent: Extent) -> Finding
    where
        R: Rule + Clone + 'static,
    {
        let shared = if let Self::ApartThief(most) = self { most } else { 0 };
        check(&World { rule, size: self.size(extent), shared })
    }

    /// The margin of the clock in this extent.
    pub fn margin(extent: Extent) -> Ticks {
        extent.size().margin
    }
}
