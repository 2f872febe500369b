use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use crate::BoxError;

/// A file of its own with the pragmas of the store's, and one connection: SQLite has one writer.
pub(crate) struct SqliteBaseline {
    connection: SqliteConnection,
}

impl SqliteBaseline {
    /// Makes a file with a copy of the rows in another one.
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
        for sql in
            ["CREATE TABLE baseline AS SELECT * FROM store.tower_jwt_auth_sessions", "DETACH store"]
        {
            sqlx::query(sql).execute(&mut connection).await?;
        }
        Ok(Self { connection })
    }

    pub(super) async fn rate(&mut self, time: Duration) -> Result<f64, BoxError> {
        let started = Instant::now();
        let mut count = 0_u32;
        while started.elapsed() < time {
            let updated = sqlx::query(UPDATE).bind(1_i64).fetch_all(&mut self.connection).await?;
            if updated.len() != 1 {
                return Err("the row is gone".into());
            }
            count += 1;
        }
        Ok(f64::from(count) / started.elapsed().as_secs_f64())
    }
}

const UPDATE: &str = "UPDATE baseline SET generation = generation + 1, rotated_at = rotated_at + 1, \
     idle_until = idle_until + 1, access_until = access_until + 1 \
     WHERE rowid = $1 AND generation >= 0 RETURNING *";
