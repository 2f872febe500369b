//! Real servers for tests: processes of PostgreSQL and Redis (or Valkey), a proxy that interrupts connections to them,
//! ChromeDriver, which starts browsers, and an OpenID provider. Node.js and Python run scripts with pinned packages, and
//! Valgrind counts instructions.
//!
//! Each server has a free port on 127.0.0.1 and a directory that is removed at the end. No server outlives the test
//! process, however that process ends: a watchdog holds one end of a pipe and kills the server when the other end
//! closes. A `static` can therefore hold a server.
//!
//! All functions block for a bounded time. Async tests may also call them.
//!
//! If a program is not installed, `start` reports it once on standard error and returns `None`, and the test ends.
//! If the environment variable `TOWER_JWT_AUTH_REQUIRE_SERVERS` is set, `start` panics instead.

use std::io::Write;
use std::sync::{Once, OnceLock};

mod chromium;
mod oidc_provider;
mod packages;
mod postgres;
mod process;
mod proxy;
mod redis;
mod valgrind;

pub use chromium::Chromium;
pub use oidc_provider::{OidcProvider, ProviderKey};
pub use packages::Interpreter;
pub use postgres::Postgres;
pub use proxy::Proxy;
pub use redis::Redis;
pub use valgrind::instructions;

/// Returns the PostgreSQL server that the tests of this process share. Each test uses a [`Postgres::new_database`].
pub fn postgres() -> Option<&'static Postgres> {
    static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
    // No test crashes the shared server, so its writes need not reach the disk.
    SHARED.get_or_init(|| Postgres::start_with(&[("fsync", "off")])).as_ref()
}

/// Returns the Redis server that the tests of this process share. Each test uses its own key prefix.
pub fn redis() -> Option<&'static Redis> {
    static SHARED: OnceLock<Option<Redis>> = OnceLock::new();
    SHARED.get_or_init(|| Redis::start(&[])).as_ref()
}

/// Returns the ChromeDriver that the tests of this process share. Each test starts its own browsers.
pub fn chromium() -> Option<&'static Chromium> {
    static SHARED: OnceLock<Option<Chromium>> = OnceLock::new();
    SHARED.get_or_init(Chromium::start).as_ref()
}

/// Reports once that tests are skipped. Panics if servers are required.
#[track_caller]
fn skip(reported: &Once, program: &str, package: &str, engine: &str) {
    let message =
        format!("no {program} found; install the package {package} to run the tests on {engine}");
    skip_because(reported, &message);
}

/// Reports once that tests are skipped, for a reason with its remedy. Panics if servers are required.
#[track_caller]
fn skip_because(reported: &Once, message: &str) {
    let required = std::env::var_os("TOWER_JWT_AUTH_REQUIRE_SERVERS").is_some();
    assert!(!required, "{message}, which TOWER_JWT_AUTH_REQUIRE_SERVERS requires");
    // The test harness hides the output of `eprintln!` if the test passes.
    reported.call_once(|| drop(writeln!(std::io::stderr(), "SKIPPED: {message}")));
}
