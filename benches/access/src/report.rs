//! The report in Markdown.

use std::fmt::{self, Write as _};

use crate::bars::bars;
use crate::cases::Row;
use crate::http::Http;
use crate::machine;
use crate::results::Results;
use crate::table::{Table, integer, or_dash};

/// The packages whose versions the report names.
const PACKAGES: [&str; 6] = [
    "jwt-authorizer",
    "axum-jwt-auth",
    "tower-oauth2-resource-server",
    "huskarl-axum",
    "jsonwebtoken",
    "aws-lc-rs",
];

/// Returns the whole report.
pub(crate) fn report(results: &Results) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{}.\n\n{}.", machine::describe(), versions(include_str!("../Cargo.lock")))?;
    if !results.algorithms.is_empty() {
        writeln!(text, "\n### One request\n\n{}", requests(results))?;
        if results.instructions.is_none() {
            writeln!(text, "NOT MEASURED: instructions, because valgrind is not installed.\n")?;
        }
    }
    if !results.threads.is_empty() {
        writeln!(text, "### Two threads\n\n{}", threads(results))?;
    }
    if !results.http.is_empty() {
        writeln!(text, "### Over a socket, ES256\n\n{}", http(&results.http))?;
    }
    if let Some(table) = flood(results) {
        writeln!(text, "### Under a flood of forged tokens, ES256\n\n{table}")?;
    }
    if !results.lists.sizes.is_empty() {
        writeln!(text, "### The revocation list, ES256\n\n{}", lists(results))?;
    }
    for entries in &results.lists.skipped {
        writeln!(text, "NOT MEASURED: {entries} entries, for lack of memory.\n")?;
    }
    let bars = bars(results);
    if !bars.is_empty() {
        let mut table = Table::new(4, &["bar", "is", "measured", "met"]);
        for bar in bars {
            let met = if bar.is_met { "yes" } else { "no" };
            table.row(vec![bar.name.to_owned(), bar.bar, bar.measured, met.to_owned()]);
        }
        writeln!(text, "### Bars\n\n{table}")?;
    }
    Ok(text)
}

/// Returns the versions of packages in a lock file.
fn versions(lock: &str) -> String {
    let mut found = Vec::new();
    for package in PACKAGES {
        let name = format!("name = \"{package}\"");
        let mut lines = lock.lines();
        let mut versions = Vec::new();
        while lines.by_ref().any(|line| line == name) {
            let version = lines.next().and_then(|line| line.strip_prefix("version = \""));
            versions.extend(version.map(|version| version.trim_end_matches('"')));
        }
        found.push(format!("{package} {}", versions.join(" and ")));
    }
    found.join(", ")
}

fn requests(results: &Results) -> Table {
    let columns =
        ["alg", "case", "ns", "overhead ns", "over the signature", "allocations", "instructions"];
    let mut table = Table::new(2, &columns);
    for algorithm in &results.algorithms {
        for row in Row::ALL {
            let timing = algorithm.timing(row);
            let counts = results.instructions.as_ref();
            let instructions = counts.and_then(|counts| counts.get(&(algorithm.algorithm, row)));
            table.row(vec![
                algorithm.algorithm.as_str().to_owned(),
                row.label().to_owned(),
                or_dash(timing, |timing| integer(timing.nanos)),
                or_dash(algorithm.overhead(row), |nanos| integer(nanos.max(0.0))),
                or_dash(algorithm.ratio(row), |ratio| format!("{:.3}", ratio.max(0.0))),
                or_dash(timing, |timing| count(timing.allocations)),
                or_dash(instructions, |instructions| integer(*instructions)),
            ]);
        }
    }
    table
}

/// Formats a mean, with a decimal if it is not a whole number.
fn count(mean: f64) -> String {
    if (mean - mean.round()).abs() < 0.05 { format!("{mean:.0}") } else { format!("{mean:.1}") }
}

fn threads(results: &Results) -> Table {
    let mut table =
        Table::new(1, &["case", "ns, one thread", "ns, two threads", "rate of two over one"]);
    for threads in &results.threads {
        table.row(vec![
            threads.label.to_owned(),
            integer(threads.one),
            integer(threads.two),
            format!("{:.2}", threads.scaling()),
        ]);
    }
    table
}

fn http(measured: &[Http]) -> Table {
    let columns = [
        "server",
        "tokens",
        "requests/s",
        "over no auth",
        "server's µs",
        "no auth over it",
        "p50 µs",
        "p99 µs",
        "p99 over no auth",
    ];
    let mut table = Table::new(1, &columns);
    for http in measured {
        table.row(vec![
            http.label.to_owned(),
            integer(http.tokens as f64),
            integer(http.per_second),
            format!("{:.3}", http.ratio),
            or_dash(http.running, |micros| format!("{micros:.2}")),
            or_dash(http.running_ratio, |ratio| format!("{ratio:.3}")),
            integer(http.latencies.p50),
            integer(http.latencies.p99),
            format!("{:.2}", http.p99_ratio),
        ]);
    }
    table
}

fn flood(results: &Results) -> Option<Table> {
    let flood = results.flood?;
    let columns = ["forged tokens/s", "over one core's", "with 503", "honest p50 µs", "p99 µs"];
    let mut table = Table::new(1, &columns);
    let dash = || "–".to_owned();
    let [p50, p99] = [flood.idle.p50, flood.idle.p99].map(integer);
    table.row(vec!["0".to_owned(), dash(), dash(), p50, p99]);
    let [p50, p99] = [flood.during.p50, flood.during.p99].map(integer);
    let over = format!("{:.1}", flood.answered / flood.capacity);
    let unavailable = format!("{:.0} %", 100.0 * flood.unavailable);
    table.row(vec![integer(flood.answered), over, unavailable, p50, p99]);
    Some(table)
}

fn lists(results: &Results) -> Table {
    let columns = [
        "entries",
        "fill",
        "bytes/entry",
        "resident",
        "no list ns",
        "still ns",
        "over no list",
        "arriving ns",
        "10,000 tokens, still ns",
        "arriving ns",
    ];
    let mut table = Table::new(1, &columns);
    for list in &results.lists.sizes {
        table.row(vec![
            integer(list.entries as f64),
            format!("{:.1} s", list.fill.as_secs_f64()),
            integer(list.allocated),
            or_dash(list.resident, integer),
            integer(list.without),
            integer(list.still),
            format!("{:.2}", list.still / list.without),
            integer(list.arriving),
            integer(list.rotation_still),
            integer(list.rotation_arriving),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_of_a_package_is_named() {
        let lock = "name = \"jsonwebtoken\"\nversion = \"9.3.1\"\n\nname = \"jsonwebtoken\"\nversion = \"11.1.0\"\n";
        assert!(versions(lock).contains("jsonwebtoken 9.3.1 and 11.1.0"));
    }

    #[test]
    fn whole_means_have_no_decimals() {
        assert_eq!([2.0, 2.98, 2.5].map(count), ["2", "3", "2.5"]);
    }
}
