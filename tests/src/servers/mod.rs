//! Real servers for tests: PostgreSQL and Redis (or Valkey) processes of the test's own, and a proxy that
//! breaks the way to them; and ChromeDriver, which starts browsers.
//!
//! Each server has a free port on 127.0.0.1 and a directory that is removed at the end. Nothing outlives the test
//! process, however that ends: a watchdog holds one end of a pipe, and when the other end closes it kills
//! the server. So a server may also sit in a `static`.
//!
//! Everything here blocks, for a bounded time, and may be called in async tests too.
//!
//! Where the programs are not installed, `start` says so once on standard error and returns `None`, and the test
//! ends there. With the environment variable `TOWER_JWT_AUTH_REQUIRE_SERVERS` set it panics instead.

use std::io::Write;
use std::sync::{Once, OnceLock};

mod chromium;
mod postgres;
mod process;
mod proxy;
mod redis;

pub use chromium::Chromium;
pub use postgres::Postgres;
pub use proxy::Proxy;
pub use redis::Redis;

/// The PostgreSQL server that the tests of this process share; each has a [`Postgres::new_database`] there.
pub fn postgres() -> Option<&'static Postgres> {
    static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
    // Nobody pulls its plug: what it has written need not reach the disk.
    SHARED.get_or_init(|| Postgres::start_with(&[("fsync", "off")])).as_ref()
}

/// The Redis server that the tests of this process share; each has its own prefix of keys there.
pub fn redis() -> Option<&'static Redis> {
    static SHARED: OnceLock<Option<Redis>> = OnceLock::new();
    SHARED.get_or_init(|| Redis::start(&[])).as_ref()
}

/// The ChromeDriver that the tests of this process share; each starts browsers of its own there.
pub fn chromium() -> Option<&'static Chromium> {
    static SHARED: OnceLock<Option<Chromium>> = OnceLock::new();
    SHARED.get_or_init(Chromium::start).as_ref()
}

/// Says that tests are skipped, the first time; never lets them pass unnoticed where servers are required.
#[track_caller]
fn skip(said: &Once, program: &str, package: &str, engine: &str) {
    let message =
        format!("no {program} found; install the package {package} to run the tests on {engine}");
    let required = std::env::var_os("TOWER_JWT_AUTH_REQUIRE_SERVERS").is_some();
    assert!(!required, "{message}, which TOWER_JWT_AUTH_REQUIRE_SERVERS asks for");
    // Not `eprintln!`, which the test harness keeps to itself when the test passes.
    said.call_once(|| drop(writeln!(std::io::stderr(), "SKIPPED: {message}")));
}
