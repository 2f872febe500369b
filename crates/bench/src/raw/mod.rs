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

use self::memory::RawMemory;
use self::postgres::RawPostgres;
use self::redis::RawRedis;
use self::sqlite::RawSqlite;
use crate::Failure;
use crate::advancing::advancers;
use crate::engine::{Engine, Running, SharedStore};

/// The most clients at a time: so many rows there are.
const ROWS: usize = 64;
/// How much longer a program may run than it was told to.
const PATIENCE: Duration = Duration::from_secs(120);

/// An engine without our store, doing the least that a refresh needs: one conditional update.
pub(crate) enum Raw<'a> {
    Memory(RawMemory),
    Sqlite(RawSqlite),
    Postgres(RawPostgres<'a>),
    Redis(RawRedis<'a>),
}

impl<'a> Raw<'a> {
    /// Makes its rows; none, with a word why, where its benchmark is not installed.
    pub(crate) async fn prepare(
        engine: &'a Engine,
        store: &SharedStore,
        skipped: &mut Vec<String>,
    ) -> Result<Option<Self>, Failure> {
        // Rows of the size that ours have, to be copied.
        drop(advancers(store, ROWS).await?);
        let mut find = |programs: &[&str]| {
            let found = programs.iter().find_map(|program| find(program));
            let message = format!("raw rates: {} is not installed", programs.join(" or "));
            if found.is_none() && !skipped.contains(&message) {
                skipped.push(message);
            }
            found
        };
        Ok(match engine.running() {
            Running::Memory => Some(Self::Memory(RawMemory::prepare()?)),
            Running::Sqlite { directory } => {
                let file = directory.path().join("raw.db");
                Some(Self::Sqlite(RawSqlite::prepare(&file, &engine.file()).await?))
            }
            Running::Postgres { server, url } => match find(&["pgbench"]) {
                Some(program) => Some(Self::Postgres(RawPostgres::prepare(program, server, url)?)),
                None => None,
            },
            Running::Redis { server } => {
                let program = find(&["redis-benchmark", "valkey-benchmark"]);
                program.map(|program| Self::Redis(RawRedis::prepare(program, server)))
            }
        })
    }

    /// Updates per second with so many clients.
    pub(crate) async fn rate(&mut self, clients: usize, time: Duration) -> Result<f64, Failure> {
        match self {
            Self::Memory(raw) => raw.rate(clients, time).await,
            Self::Sqlite(raw) => raw.rate(time).await,
            Self::Postgres(raw) => raw.rate(clients, time).await,
            Self::Redis(raw) => raw.rate(clients, time).await,
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
async fn printed(command: &mut Command, time: Duration) -> Result<String, Failure> {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let Output { status, stdout, stderr } = timeout(time + PATIENCE, running).await??;
    if !status.success() {
        return Err(String::from_utf8_lossy(&stderr).into_owned().into());
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
