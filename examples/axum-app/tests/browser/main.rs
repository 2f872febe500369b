//! The application in a real browser: Chromium, whose tabs share a cookie jar and know nothing of each other.
//!
//! The tabs refresh with plain `fetch` and take no lock, as pages do that were not written for this library.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod guard;
mod jar;
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

/// The grace window of the servers in these tests. A refresh has to be answered within it.
const GRACE: Duration = Duration::from_secs(1);

/// Not `println!`, which the test harness keeps to itself when the test passes.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A number below this one, another in every run.
fn below(end: u64) -> u64 {
    RandomState::new().hash_one("a random number") % end
}

/// Until the next round: it begins within a window, about when it ends, or after it.
fn pause() -> Duration {
    Duration::from_millis(below(1250 * GRACE.as_secs()))
}
