//! What the engines do by themselves.

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

/// The most clients at a time: so many rows there are.
const MAX_CLIENTS: usize = 64;
/// How much longer a program may run than it was told to.
const EXIT_TIMEOUT: Duration = Duration::from_secs(120);

/// An engine without our store, doing the least that a refresh needs: one conditional update.
pub(crate) enum Baseline<'a> {
    Memory(MemoryBaseline),
    Sqlite(SqliteBaseline),
    Postgres(PostgresBaseline<'a>),
    Redis(RedisBaseline<'a>),
}

impl<'a> Baseline<'a> {
    /// Makes its rows; none, with a word why, where its benchmark is not installed.
    pub(crate) async fn prepare(
        engine: &'a Engine,
        store: &SharedStore,
        skipped: &mut Vec<String>,
    ) -> Result<Option<Self>, BoxError> {
        // Rows of the size that ours have, to be copied.
        drop(advancers(store, MAX_CLIENTS).await?);
        let mut find = |programs: &[&str]| {
            let found = programs.iter().find_map(|program| find(program));
            let message = format!("baseline rates: {} is not installed", programs.join(" or "));
            if found.is_none() && !skipped.contains(&message) {
                skipped.push(message);
            }
            found
        };
        Ok(match engine.backend() {
            Backend::Memory => Some(Self::Memory(MemoryBaseline::prepare()?)),
            Backend::Sqlite { directory } => {
                let file = directory.path().join("baseline.db");
                Some(Self::Sqlite(SqliteBaseline::prepare(&file, &engine.sqlite_file()).await?))
            }
            Backend::Postgres { server, url } => match find(&["pgbench"]) {
                Some(program) => {
                    Some(Self::Postgres(PostgresBaseline::prepare(program, server, url)?))
                }
                None => None,
            },
            Backend::Redis { server } => {
                let program = find(&["redis-benchmark", "valkey-benchmark"]);
                program.map(|program| Self::Redis(RedisBaseline::prepare(program, server)))
            }
        })
    }

    /// Updates per second with so many clients.
    pub(crate) async fn rate(&mut self, clients: usize, time: Duration) -> Result<f64, BoxError> {
        match self {
            Self::Memory(baseline) => baseline.rate(clients, time).await,
            Self::Sqlite(baseline) => baseline.rate(time).await,
            Self::Postgres(baseline) => baseline.rate(clients, time).await,
            Self::Redis(baseline) => baseline.rate(clients, time).await,
        }
    }
}

/// A program in PATH, or where Debian puts those of PostgreSQL.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|directory| directory.join(program));
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.filter_map(Result::ok).map(|version| version.path());
    let in_versions = versions.map(|version| version.join("bin").join(program));
    in_path.chain(in_versions).find(|file| file.is_file())
}

/// What a benchmark prints; its end is waited for, though not for ever.
async fn stdout_of(command: &mut Command, time: Duration) -> Result<String, BoxError> {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let Output { status, stdout, stderr } = timeout(time + EXIT_TIMEOUT, running).await??;
    if !status.success() {
        return Err(String::from_utf8_lossy(&stderr).into_owned().into());
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
