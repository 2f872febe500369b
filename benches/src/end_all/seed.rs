use sqlx::AssertSqlSafe;
use sqlx::Connection as _;
use tower_jwt_auth::sessions::SessionLimit;

use crate::engine::{Backend, Engine, SharedStore, checkpoint, connect_sqlite};
use crate::load::{Client, run_steps};
use crate::{BoxError, sample};

/// The number of clients that insert concurrently.
const CLIENTS: usize = 64;

/// Gives the subject this many sessions and brings the engine to rest.
///
/// In SQLite and PostgreSQL, where each insert waits for the disk, all but one are copies made by one statement.
pub(super) async fn insert_sessions(
    engine: &Engine,
    store: &SharedStore,
    subject: &str,
    sessions: usize,
) -> Result<(), BoxError> {
    match engine.backend() {
        Backend::Memory | Backend::Redis { .. } => insert(store, subject, sessions).await,
        Backend::Sqlite { file, .. } => {
            insert(store, subject, 1).await?;
            let id = "substr(hex(randomblob(11)), 1, 21) || 'A'";
            let copies = format!(
                "(WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL \
                 SELECT number + 1 FROM numbers WHERE number < {}) SELECT 1 FROM numbers)",
                sessions - 1
            );
            let mut connection = connect_sqlite(file).await?;
            let copy = copy_statement(subject, id, &copies);
            sqlx::query(AssertSqlSafe(copy)).execute(&mut connection).await?;
            checkpoint(&mut connection).await?;
            Ok(connection.close().await?)
        }
        Backend::Postgres { server, url } => {
            insert(store, subject, 1).await?;
            let id = "substr(replace(gen_random_uuid()::text, '-', ''), 1, 21) || 'A'";
            let copies = format!("generate_series(1, {}) AS copies", sessions - 1);
            server.psql(url, &copy_statement(subject, id, &copies));
            // The state after some time with few sign-ins.
            server.psql(url, "VACUUM ANALYZE");
            server.psql(url, "CHECKPOINT");
            Ok(())
        }
    }
}

/// Inserts sessions through the store.
async fn insert(store: &SharedStore, subject: &str, sessions: usize) -> Result<(), BoxError> {
    let inserter = |_| Inserter { store: store.clone(), subject: subject.to_owned() };
    run_steps((0..CLIENTS).map(inserter).collect(), sessions).await?;
    Ok(())
}

struct Inserter {
    store: SharedStore,
    subject: String,
}

impl Client for Inserter {
    async fn step(&mut self) -> Result<(), BoxError> {
        let session = sample::session(&self.subject)?;
        self.store.insert(&session, SessionLimit::none()).await?;
        Ok(())
    }
}

/// Returns the statement that copies the one session of the subject, with a random id, for each row of `copies`.
fn copy_statement(subject: &str, id: &str, copies: &str) -> String {
    let columns = "issuer, subject, secret_hash, generation, created_at, rotated_at, idle_until, \
         expires_at, access_until, auth_time, client_id, scope, claims, user_agent, address";
    format!(
        "INSERT INTO tower_jwt_auth_sessions (id, {columns}) \
         SELECT {id}, {columns} FROM tower_jwt_auth_sessions, {copies} WHERE subject = '{subject}'"
    )
}
