//! Prints the table of `docs/rotation.md`, and the shortest counterexamples.
#![allow(clippy::print_stdout)]

use tower_jwt_auth_rotation_model::{Extent, Finding, Scenario, Shipped, Table};

fn main() {
    let table = Table::check(Extent::Full);
    println!("{table}");
    for row in &table.rows {
        for cell in &row.cells {
            if let Finding::Fails(found) = &cell.finding {
                println!("{}: {:?}", row.name, found.violation);
                for event in &found.events {
                    println!("- {event}");
                }
                println!();
            }
        }
    }
    let extent = Extent::Full;
    let rule = Shipped::new(extent.grace(), 1, Scenario::margin(extent));
    for scenario in [Scenario::SlowTabs, Scenario::LossesAndOvertaking(1)] {
        let finding = scenario.check(rule.clone(), extent);
        println!("{scenario:?}: {finding}");
        if let Finding::Fails(found) = finding {
            for event in found.events {
                println!("- {event}");
            }
        }
    }
}
