use std::fmt;

use crate::rivals::{Family, FamilyRule, Linear, LinearRule};
use crate::rule::Rule;
use crate::scenarios::{Extent, Scenario};
use crate::search::Finding;
use crate::shipped::Shipped;

/// The rules beside each other.
#[derive(Debug)]
pub struct Table {
    /// One for each rule.
    pub rows: Vec<Row>,
}

/// A rule, and what the checker found of it.
#[derive(Debug)]
pub struct Row {
    /// The rule.
    pub name: String,
    /// In the order of the columns.
    pub cells: Vec<Cell>,
}

/// One property of one rule.
#[derive(Debug)]
pub struct Cell {
    /// The words of the table.
    pub text: String,
    /// What the checker found.
    pub finding: Finding,
}

/// The headings of the columns.
const COLUMNS: [&str; 5] =
    ["tabs alone", "losses", "one lineage, ended stays ended", "a thief apart is found", "states"];

/// The most generations after a theft that are tried.
const MAX_SHARED: u8 = 3;

impl Table {
    /// Checks all rules.
    pub fn check(extent: Extent) -> Self {
        let (grace, margin) = (extent.grace(), Scenario::margin(extent));
        let shipped = |late_retries| Shipped::new(grace, late_retries, margin);
        let linear = |rule| Linear { rule, grace };
        // Their rows have no bound: smaller worlds will do to tell them apart.
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
    let plain = |finding: Finding| Cell { text: finding.to_string(), finding };
    let mut cells = vec![
        plain(check(Scenario::Tabs)),
        plain(check(Scenario::Losses(late_retries))),
        plain(check(Scenario::FreeThief)),
    ];
    let apart = (0..=MAX_SHARED).map(|most| (most, check(Scenario::ApartThief(most))));
    let mut last = None;
    for (most, finding) in apart {
        let is_found = finding.holds();
        let text = match is_found {
            true => format!("after {most} generations"),
            false => "stays".to_owned(),
        };
        last = Some(Cell { text, finding });
        if is_found {
            break;
        }
    }
    cells.extend(last);
    Row { name: name.to_owned(), cells }
}

impl Row {
    /// How many states were looked through, in all worlds in which nothing is violated.
    pub fn states(&self) -> usize {
        let states = |cell: &Cell| match cell.finding {
            Finding::Holds { states } => states,
            Finding::Fails(_) => 0,
        };
        self.cells.iter().map(states).sum()
    }
}

impl fmt::Display for Table {
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
