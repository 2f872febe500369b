use std::mem;
use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use crate::BoxError;
use crate::load::{Client, run_for};

const UPDATE: &str = "UPDATE baseline SET generation = generation + 1, \
     rotated_at = rotated_at + 1, idle_until = idle_until + 1, access_until = access_until + 1 \
     WHERE rowid = $1 AND generation >= 0 RETURNING *";

/// One connection to a separate file with the pragmas of the store: SQLite has one writer at a time.
pub(crate) struct SqliteBaseline {
    updater: Vec<Updater>,
}

impl SqliteBaseline {
    /// Creates a file with a copy of the sessions in the file of the store.
    pub(super) async fn prepare(file: &Path, store: &Path) -> Result<Self, BoxError> {
        let mut connection = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging()
            .connect()
            .await?;
        let attach = sqlx::query("ATTACH $1 AS store").bind(store.to_string_lossy().into_owned());
        attach.execute(&mut connection).await?;
        let copy = "CREATE TABLE baseline AS SELECT * FROM store.tower_jwt_auth_sessions";
        for sql in [copy, "DETACH store"] {
            sqlx::query(sql).execute(&mut connection).await?;
        }
        Ok(Self { updater: vec![Updater { connection }] })
    }

    pub(super) async fn rate(&mut self, duration: Duration) -> Result<f64, BoxError> {
        let (updater, timings) = run_for(mem::take(&mut self.updater), duration).await?;
        self.updater = updater;
        Ok(timings.rate())
    }
}

struct Updater {
    connection: SqliteConnection,
}

impl Client for Updater {
    async fn step(&mut self) -> Result<(), BoxError> {
        let updated = sqlx::query(UPDATE).bind(1_i64).fetch_all(&mut self.connection).await?;
        if updated.len() != 1 {
            return Err("the row of the baseline does not exist".into());
        }
        Ok(())
    }
}
