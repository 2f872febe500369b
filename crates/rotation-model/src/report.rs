use std::fmt;

use crate::check::Finding;
use crate::rivals::{Family, FamilyRule, Linear, LinearRule};
use crate::rule::Rule;
use crate::scenarios::{Extent, Scenario};
use crate::shipped::Shipped;

/// The table of rules and findings in `docs/rotation.md`.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Extent, Table};
///
/// let table = Table::check(Extent::Small);
/// assert!(table.rows[0].name.starts_with("this project"));
/// assert!(table.to_string().starts_with("| rule | tabs alone |"));
/// ```
#[derive(Debug)]
pub struct Table {
    /// The rows, one for each rule.
    pub rows: Vec<Row>,
}

/// A rule and the findings about it.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Extent, Row, Table};
///
/// let states: usize = Table::check(Extent::Small).rows.iter().map(Row::states).sum();
/// assert!(states > 1000);
/// ```
#[derive(Debug)]
pub struct Row {
    /// The name of the rule.
    pub name: String,
    /// The cells in the order of the columns.
    pub cells: Vec<Cell>,
}

/// A finding about a property of a rule.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_rotation_model::{Extent, Table};
///
/// let table = Table::check(Extent::Small);
/// let tabs_alone = &table.rows[0].cells[0];
/// assert_eq!(tabs_alone.text, "holds");
/// assert!(tabs_alone.finding.holds());
/// ```
#[derive(Debug)]
pub struct Cell {
    /// The text in the table.
    pub text: String,
    /// The finding.
    pub finding: Finding,
}

/// The headings of the columns.
const COLUMNS: [&str; 5] = [
    "tabs alone",
    "losses",
    "one lineage, ended stays ended",
    "a separate thief is detected",
    "states",
];

/// The maximum number of generations after a theft that is checked.
const MAX_SHARED: u8 = 3;

impl Table {
    /// Checks all rules.
    pub fn check(extent: Extent) -> Self {
        let (grace, clock_margin) = (extent.grace(), extent.clock_margin());
        let shipped = |late_retries| Shipped::new(grace, late_retries, clock_margin);
        let linear = |rule| Linear { rule, grace };
        // The sessions of these rules are unbounded. Small models are enough to distinguish them.
        let small = Extent::Small;
        let family = |rule| Family { rule, grace: small.grace() };
        let rows = vec![
            row("this project, `strict()`", &shipped(0), 0, extent),
            row("this project, default: one late retry", &shipped(1), 1, extent),
            row("this project, two late retries", &shipped(2), 2, extent),
            row(
                "one-deep grace (this project's first rule)",
                &linear(LinearRule::OneDeepGrace),
                1,
                extent,
            ),
            row("unlimited late retry", &linear(LinearRule::UnlimitedLateRetry), 1, extent),
            row("Supabase Auth, refresh tokens v2", &linear(LinearRule::Supabase), 1, extent),
            row("SuperTokens, CDI 5.6", &family(FamilyRule::SuperTokens), 1, small),
            row("Ory Hydra, grace period", &family(FamilyRule::Hydra), 1, small),
            row("better-auth, reuse interval", &family(FamilyRule::BetterAuth), 1, small),
            row("session-guard", &family(FamilyRule::SessionGuard), 1, small),
        ];
        Self { rows }
    }
}

fn row<R>(name: &str, rule: &R, late_retries: u8, extent: Extent) -> Row
where
    R: Rule + Clone + 'static,
{
    let check = |scenario: Scenario| scenario.check(rule.clone(), extent);
    let cell = |finding: Finding| Cell { text: finding.to_string(), finding };
    let mut cells = vec![
        cell(check(Scenario::Tabs)),
        cell(check(Scenario::Losses(late_retries))),
        cell(check(Scenario::FreeThief)),
    ];
    let mut detection = None;
    for max_shared in 0..=MAX_SHARED {
        let finding = check(Scenario::SeparateThief(max_shared));
        let is_detected = finding.holds();
        let text = match is_detected {
            true => format!("after {max_shared} generations"),
            false => "never".to_owned(),
        };
        detection = Some(Cell { text, finding });
        if is_detected {
            break;
        }
    }
    cells.extend(detection);
    Row { name: name.to_owned(), cells }
}

impl Row {
    /// Returns the number of states in all models without a violation.
    pub fn states(&self) -> usize {
        let states = |cell: &Cell| match cell.finding {
            Finding::Holds { states } => states,
            Finding::Fails(_) => 0,
        };
        self.cells.iter().map(states).sum()
    }
}

impl fmt::Display for Table {
    /// Writes the table in Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| rule | {} |", COLUMNS.join(" | "))?;
        writeln!(f, "|---|{}", "---|".repeat(COLUMNS.len()))?;
        for row in &self.rows {
            let cells: Vec<_> = row.cells.iter().map(|cell| cell.text.as_str()).collect();
            writeln!(f, "| {} | {} | {} |", row.name, cells.join(" | "), row.states())?;
        }
        Ok(())
    }
}
