//! The instructions of each candidate, which callgrind counts in a run of this program of its own.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

use tower_jwt_auth::Algorithm;

use crate::BoxError;
use crate::args::{Args, CALLGRIND_OPTION};
use crate::case::Case;
use crate::cases::{Row, TokenCounts, TokenSets, candidates};
use crate::keys::Key;
use crate::timing::{COUNTED, check};

/// The instructions for one request.
pub(crate) type Counts = HashMap<(Algorithm, Row), f64>;

/// The function whose instructions are counted.
const MEASURED: &str = concat!(module_path!(), "::under_callgrind");

/// Runs the candidates under callgrind. Returns `None` if it is not installed.
pub(crate) fn count(args: &Args) -> Result<Option<Counts>, BoxError> {
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        return Ok(None);
    }
    let directory = tempfile::tempdir()?;
    let profile = directory.path().join("profile");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet"])
        // Only this function and its callees are counted, in the thread that calls it. Each call ends with a file.
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--dump-after={MEASURED}"))
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(std::env::current_exe()?)
        .arg(CALLGRIND_OPTION);
    for algorithm in args.algorithms() {
        command.args(["--algorithm", algorithm.as_str()]);
    }
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("valgrind ended with {}", output.status).into());
    }
    let measured = String::from_utf8(output.stdout)?;
    let mut counts = Counts::new();
    for (number, line) in measured.lines().enumerate() {
        let (algorithm, label) = line.split_once('\t').ok_or("a line without a tab")?;
        let row = Row::ALL.into_iter().find(|row| row.label() == label).ok_or("unknown row")?;
        let total = total(&directory.path().join(format!("profile.{}", number + 1)))?;
        counts.insert((algorithm.parse()?, row), total / COUNTED as f64);
    }
    Ok(Some(counts))
}

/// Returns the number of instructions in a file of callgrind.
fn total(profile: &Path) -> Result<f64, BoxError> {
    let text = std::fs::read_to_string(profile)
        .map_err(|error| format!("{}: {error}", profile.display()))?;
    let mut totals = text.lines().filter_map(|line| {
        line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: "))
    });
    Ok(totals.next().ok_or("a profile without a total")?.trim().parse()?)
}

/// Runs each candidate twice, and prints the names in the order of the second runs, which callgrind counts.
pub(crate) async fn run(args: &Args) -> Result<(), BoxError> {
    let counts = TokenCounts {
        rotation: 2 * COUNTED,
        large_rotation: 0,
        fresh: 2 * COUNTED,
        several: COUNTED,
    };
    for &algorithm in args.algorithms() {
        let key = Key::generate(algorithm)?;
        let sets = TokenSets::issue(&key, counts)?;
        for mut candidate in candidates(&key, &sets).await? {
            let is_fresh = candidate.row.needs_fresh_tokens();
            let seen = if is_fresh { 1 } else { 2 * candidate.feed.len() };
            for _ in 0..seen.div_ceil(COUNTED) {
                candidate.case.prepare(&candidate.feed.take(COUNTED));
                check(candidate.row, candidate.case.run(), COUNTED)?;
            }
            candidate.case.prepare(&candidate.feed.take(COUNTED));
            check(candidate.row, under_callgrind(&mut *candidate.case), COUNTED)?;
            println!("{}\t{}", algorithm.as_str(), candidate.row.label());
        }
    }
    Ok(())
}

#[inline(never)]
fn under_callgrind(case: &mut dyn Case) -> usize {
    // Keeps the call from being the last instruction: callgrind would not see this function end.
    black_box(case.run())
}
