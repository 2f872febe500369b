//! The rates of the engines alone, without a store of this library.

mod memory;
mod postgres;
mod redis;
mod sqlite;

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use self::memory::MemoryBaseline;
use self::postgres::PostgresBaseline;
use self::redis::RedisBaseline;
use self::sqlite::SqliteBaseline;
use crate::BoxError;
use crate::advance::advancers;
use crate::engine::{Backend, Engine, SharedStore};

/// The maximum of concurrent clients, each of which has a row.
const MAX_CLIENTS: usize = 64;
/// How much longer than its measurement a benchmark program may run.
const EXIT_TIMEOUT: Duration = Duration::from_secs(120);

/// An engine alone, with the minimum that a refresh needs: one conditional update.
pub(crate) enum Baseline<'a> {
    Memory(MemoryBaseline),
    Sqlite(SqliteBaseline),
    Postgres(PostgresBaseline<'a>),
    Redis(RedisBaseline<'a>),
}

impl<'a> Baseline<'a> {
    /// Creates the rows. Returns `None` if the engine's benchmark program is not installed, and adds this to
    /// `skipped`.
    pub(crate) async fn prepare(
        engine: &'a Engine,
        store: &SharedStore,
        skipped: &mut Vec<String>,
    ) -> Result<Option<Self>, BoxError> {
        // Sessions of the store, from which SQLite and PostgreSQL copy rows of the same size.
        drop(advancers(store, MAX_CLIENTS).await?);
        let mut find_any = |programs: &[&str]| {
            let found = programs.iter().find_map(|program| find(program));
            let message = format!("baseline rates: {} is not installed", programs.join(" or "));
            if found.is_none() && !skipped.contains(&message) {
                skipped.push(message);
            }
            found
        };
        Ok(match engine.backend() {
            Backend::Memory => Some(Self::Memory(MemoryBaseline::prepare()?)),
            Backend::Sqlite { directory, file } => {
                let copy = directory.path().join("baseline.db");
                Some(Self::Sqlite(SqliteBaseline::prepare(&copy, file).await?))
            }
            Backend::Postgres { server, url } => match find_any(&["pgbench"]) {
                Some(program) => {
                    Some(Self::Postgres(PostgresBaseline::prepare(program, server, url)?))
                }
                None => None,
            },
            Backend::Redis { server } => {
                let program = find_any(&["redis-benchmark", "valkey-benchmark"]);
                program.map(|program| Self::Redis(RedisBaseline::prepare(program, server)))
            }
        })
    }

    /// Measures the updates per second with this number of clients.
    pub(crate) async fn rate(
        &mut self,
        clients: usize,
        duration: Duration,
    ) -> Result<f64, BoxError> {
        match self {
            Self::Memory(baseline) => baseline.rate(clients, duration).await,
            Self::Sqlite(baseline) => baseline.rate(duration).await,
            Self::Postgres(baseline) => baseline.rate(clients, duration).await,
            Self::Redis(baseline) => baseline.rate(clients, duration).await,
        }
    }
}

/// Finds a program in `PATH`, or where Debian installs those of PostgreSQL.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|directory| directory.join(program));
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.filter_map(Result::ok).map(|version| version.path());
    let in_versions = versions.map(|version| version.join("bin").join(program));
    in_path.chain(in_versions).find(|file| file.is_file())
}

/// Runs a benchmark program to its end and returns its standard output.
async fn stdout_of(command: &mut Command, duration: Duration) -> Result<String, BoxError> {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let Output { status, stdout, stderr } = timeout(duration + EXIT_TIMEOUT, running).await??;
    if !status.success() {
        return Err(String::from_utf8_lossy(&stderr).into_owned().into());
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
