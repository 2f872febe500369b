//! The properties of the rule in small models, and that each of them can fail.
#![allow(clippy::unwrap_used)]

use tower_jwt_auth_rotation_model::{
    Extent, Finding, Mutation, Scenario, Shipped, Table, Violation,
};

const SMALL: Extent = Extent::Small;

fn rule(late_retries: u8) -> Shipped {
    Shipped::new(SMALL.grace(), late_retries, SMALL.clock_margin())
}

#[track_caller]
fn assert_holds(scenario: Scenario, rule: Shipped) {
    let finding = scenario.check(rule, SMALL);
    assert!(finding.holds(), "{scenario:?}: {finding:?}");
}

#[track_caller]
fn assert_fails(scenario: Scenario, rule: Shipped, violation: Violation) {
    match scenario.check(rule, SMALL) {
        Finding::Fails(found) => assert_eq!(found.violation, violation, "{:?}", found.events),
        Finding::Holds { states } => panic!("{scenario:?} holds in {states} states"),
    }
}

#[test]
fn tabs_alone_sign_nobody_out_under_any_policy() {
    for late_retries in [0, 1, 2] {
        assert_holds(Scenario::Tabs, rule(late_retries));
    }
}

#[test]
fn an_exchange_as_long_as_the_window_can_sign_out() {
    assert_fails(Scenario::SlowTabs, rule(0), Violation::SignedOut);
}

#[test]
fn as_many_missed_windows_are_forgiven_as_late_retries_are_allowed() {
    for late_retries in [0, 1, 2] {
        assert_holds(Scenario::Losses(late_retries), rule(late_retries));
        assert_fails(Scenario::Losses(late_retries + 1), rule(late_retries), Violation::DeadCookie);
    }
}

#[test]
fn a_request_that_is_overtaken_after_a_loss_counts_as_reuse() {
    assert_fails(Scenario::LossesAndOvertaking(1), rule(1), Violation::SignedOut);
}

#[test]
fn there_is_one_lineage_and_an_ended_session_stays_ended() {
    for late_retries in [0, 1] {
        assert_holds(Scenario::FreeThief, rule(late_retries));
    }
}

#[test]
fn a_separate_thief_is_detected_after_as_many_generations_as_late_retries_are_allowed() {
    for late_retries in [0, 1, 2] {
        assert_holds(Scenario::SeparateThief(late_retries), rule(late_retries));
    }
    for late_retries in [1, 2] {
        let fewer = Scenario::SeparateThief(late_retries - 1);
        assert_fails(fewer, rule(late_retries), Violation::TheftUndetected);
    }
}

#[test]
fn a_mutation_of_the_rule_is_detected() {
    use Mutation::{
        AdvanceIgnoresTheGeneration, AdvanceIgnoresTheWindow, EndIsIgnored,
        LateRetriesAreNotCounted,
    };
    let mutated = |mutation| rule(1).with_mutation(mutation);
    assert_fails(Scenario::Tabs, mutated(AdvanceIgnoresTheWindow), Violation::SignedOut);
    assert_fails(Scenario::FreeThief, mutated(AdvanceIgnoresTheGeneration), Violation::Fork);
    assert_fails(
        Scenario::SeparateThief(1),
        mutated(LateRetriesAreNotCounted),
        Violation::TheftUndetected,
    );
    assert_fails(Scenario::FreeThief, mutated(EndIsIgnored), Violation::EndedSessionAnswered);
}

/// Returns the cells without the numbers, which differ between small and full models.
fn outcomes(table: &str) -> Vec<Vec<String>> {
    let word = |cell: &str| cell.trim().split(" in ").next().unwrap().to_owned();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(word).collect();
        cells[..cells.len() - 1].to_vec()
    })
    .collect()
}

#[test]
fn the_table_of_the_page_is_that_of_the_checker() {
    let page = include_str!("../../../docs/rotation.md");
    let table = page.split_once("<!-- table -->").unwrap().1;
    let table = table.split_once("<!-- /table -->").unwrap().0;
    assert_eq!(outcomes(table), outcomes(&Table::check(SMALL).to_string()));
}
