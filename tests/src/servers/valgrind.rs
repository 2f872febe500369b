use std::process::{Command, Stdio};
use std::sync::Once;

use super::skip;

/// Runs one test of the calling test binary under callgrind, and returns the number of instructions that it executes in
/// the function of this name and the functions that it calls. Returns `None` if valgrind is not installed.
///
/// `variable` is set to `value` for the test. Panics with its output if it fails.
pub fn instructions(test: &str, (variable, value): (&str, &str), function: &str) -> Option<u64> {
    static REPORTED: Once = Once::new();
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        skip(&REPORTED, "valgrind", "valgrind", "the numbers of instructions");
        return None;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let counts = directory.path().join("callgrind");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={function}"))
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(std::env::current_exe().expect("the path of the test binary"))
        .args(["--exact", test, "--test-threads=1", "--nocapture"])
        .env(variable, value)
        .output()
        .expect("valgrind runs");
    let said =
        || String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{}", said());
    let counts = std::fs::read_to_string(counts).expect("the counts of callgrind");
    let total = counts.lines().find_map(|line| line.strip_prefix("totals:"));
    let total = total.and_then(|total| total.trim().parse().ok());
    assert!(total.is_some_and(|total: u64| total > 0), "nothing was counted: {}", said());
    total
}
