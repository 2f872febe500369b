//! The tables of docs/rfc-requirements.md name tests and pages that exist.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The directories in which the paths of tests begin.
const ROOTS: [&str; 2] = ["tests/tests", "crates/tower-jwt-auth/src"];
/// The columns: section, requirement, concerned party, status, evidence.
const COLUMNS: usize = 5;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    fs::read_to_string(repository().join("docs/rfc-requirements.md")).unwrap()
}

/// Returns the rows of the tables with a column for the section.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let of_table = page.lines().skip_while(|line| !line.starts_with("| § |"));
    let rows: Vec<Vec<_>> = of_table
        .filter(|line| line.starts_with('|') && !line.starts_with("| § |"))
        .filter(|line| !line.starts_with("|---"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 60, "{} rows were found", rows.len());
    rows
}

/// Returns the tests that a text names: `path::name` in backticks.
fn tests(text: &str) -> Vec<(&str, &str)> {
    let in_backticks = text.split('`').skip(1).step_by(2);
    in_backticks.filter_map(|code| code.split_once(".rs::")).collect()
}

/// Returns the targets of the links in a text.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link).collect()
}

/// Returns whether a source has this test, which runs: a function with the attribute of a test, not ignored.
fn has_test(source: &str, name: &str) -> bool {
    let (Some((before, _)), 1) = (
        source.split_once(&format!("fn {name}()")),
        source.matches(&format!("fn {name}()")).count(),
    ) else {
        return false;
    };
    let attributes = before.rsplit("\n\n").next().unwrap_or(before);
    let is_test = ["#[test]", "#[tokio::test]", "#[tokio::test("];
    is_test.iter().any(|attribute| attributes.contains(attribute))
        && !attributes.contains("#[ignore")
}

#[test]
fn each_test_of_the_tables_exists() {
    let page = page();
    let mut count = 0;
    for (path, name) in rows(&page).iter().flat_map(|row| tests(row[COLUMNS - 1])) {
        count += 1;
        let files: Vec<_> = ROOTS
            .iter()
            .map(|root| repository().join(root).join(path).with_extension("rs"))
            .filter(|file| file.exists())
            .collect();
        let [file] = &files[..] else { panic!("{path}.rs is in {} of {ROOTS:?}", files.len()) };
        let source = fs::read_to_string(file).unwrap();
        assert!(has_test(&source, name), "{path}.rs has no test {name}");
    }
    assert!(count >= 100, "{count} tests were found");
}

#[test]
fn each_row_has_the_evidence_of_its_status() {
    let page = page();
    for row in rows(&page) {
        assert_eq!(row.len(), COLUMNS, "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        let (status, evidence) = (row[3], row[4]);
        let (tests, links) = (tests(evidence).len(), links(evidence).len());
        match status {
            "test" => assert!(tests > 0, "{row:?} names no test"),
            "documented" => assert!(links > 0 && tests == 0, "{row:?} names no page"),
            "deviation" => assert!(links > 0 && tests > 0, "{row:?} names no page or no test"),
            "not applicable" => assert!(tests == 0, "{row:?} names a test"),
            _ => panic!("the status {status} has no meaning: {row:?}"),
        }
    }
}

#[test]
fn each_page_that_the_tables_link_exists() {
    let page = page();
    let linked = links(&page);
    assert!(linked.len() >= 10, "{linked:?}");
    for link in linked {
        assert!(repository().join("docs").join(link).is_file(), "{link} does not exist");
    }
}

#[test]
fn a_test_is_found_by_its_whole_name_and_attribute() {
    let source = "#[test]\nfn one() {}\n\n#[tokio::test]\nasync fn two() {}\n\nfn helper() {}\n\n\
                  #[test]\n#[ignore]\nfn off() {}\n";
    assert!(has_test(source, "one") && has_test(source, "two"));
    for not_a_test in ["helper", "off", "tw", "wo", "three", ""] {
        assert!(!has_test(source, not_a_test), "{not_a_test}");
    }
    let text = "`http/a.rs::one`, `http/b/c.rs::two` ([page](../page.md)). `RequireLayer`";
    assert_eq!(tests(text), [("http/a", "one"), ("http/b/c", "two")]);
    assert_eq!(links(text), ["../page.md"]);
}
