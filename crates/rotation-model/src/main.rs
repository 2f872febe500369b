//! Prints the table of `docs/rotation.md` and the shortest counterexamples.
#![allow(clippy::print_stdout)]

use tower_jwt_auth_rotation_model::{Counterexample, Extent, Finding, Scenario, Shipped, Table};

fn main() {
    let extent = Extent::Full;
    let table = Table::check(extent);
    println!("{table}");
    for row in &table.rows {
        for cell in &row.cells {
            if let Finding::Fails(found) = &cell.finding {
                println!("{}: {:?}", row.name, found.violation);
                print_events(found);
            }
        }
    }
    let rule = Shipped::new(extent.grace(), 1, extent.clock_margin());
    for scenario in [Scenario::SlowTabs, Scenario::LossesAndOvertaking(1)] {
        let finding = scenario.check(rule.clone(), extent);
        println!("{scenario:?}: {finding}");
        if let Finding::Fails(found) = finding {
            print_events(&found);
        }
    }
}

fn print_events(found: &Counterexample) {
    for event in &found.events {
        println!("- {event}");
    }
    println!();
}
