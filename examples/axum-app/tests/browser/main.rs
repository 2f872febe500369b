//! The application in a real browser: Chromium, whose tabs share a cookie jar and nothing else.
//!
//! The tabs refresh with plain `fetch` and without a lock, as pages do that were not written for this library.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod cookie_jar;
mod guard;
mod losses;
mod relay;
mod restored;
#[allow(dead_code, reason = "shared with the other tests")]
#[path = "../app/server.rs"]
mod server;
mod tabs;
mod theft;
mod window;

use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::time::Duration;

/// The grace window of the servers in these tests. A refresh takes less.
const GRACE: Duration = Duration::from_secs(1);

/// Prints a line, which `println!` would not: the test harness captures it if the test passes.
fn print(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Returns a random number below this one.
fn random_below(end: u64) -> u64 {
    RandomState::new().hash_one("a random number") % end
}

/// Returns a random time until the next round, which begins within a grace window, at about its end, or after it.
fn pause() -> Duration {
    Duration::from_millis(random_below(1250 * GRACE.as_secs()))
}
