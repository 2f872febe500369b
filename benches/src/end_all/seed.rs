use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::task::JoinSet;
use tower_jwt_auth::SessionLimit;

use crate::engine::{Backend, Engine, SharedStore};
use crate::{BoxError, sample};

/// How many add sessions at a time.
const CLIENTS: usize = 64;

/// Gives a subject so many sessions, and lets the engine come to rest.
///
/// A store whose every insert waits for the disk gets one session, of which the others are copies.
pub(super) async fn insert_sessions(
    engine: &Engine,
    store: &SharedStore,
    subject: &str,
    sessions: usize,
) -> Result<(), BoxError> {
    match engine.backend() {
        Backend::Memory | Backend::Redis { .. } => insert(store, subject, sessions).await,
        Backend::Sqlite { .. } => {
            insert(store, subject, 1).await?;
            let file = SqliteConnectOptions::new().filename(engine.sqlite_file());
            let mut connection = file.disable_statement_logging().connect().await?;
            copy_in_sqlite(&mut connection, subject, sessions - 1).await?;
            Ok(connection.close().await?)
        }
        Backend::Postgres { server, url } => {
            insert(store, subject, 1).await?;
            let id = "substr(replace(gen_random_uuid()::text, '-', ''), 1, 21) || 'A'";
            let copies = format!("generate_series(1, {}) AS copies", sessions - 1);
            server.psql(url, &copy(subject, id, &copies));
            // As after some time without many sign-ins.
            server.psql(url, "VACUUM ANALYZE");
            server.psql(url, "CHECKPOINT");
            Ok(())
        }
    }
}

/// Adds sessions by the store.
async fn insert(store: &SharedStore, subject: &str, sessions: usize) -> Result<(), BoxError> {
    let begun = Arc::new(AtomicUsize::new(0));
    let mut working = JoinSet::new();
    for _ in 0..CLIENTS {
        let (store, subject, begun) = (store.clone(), subject.to_owned(), Arc::clone(&begun));
        working.spawn(async move {
            while begun.fetch_add(1, Ordering::Relaxed) < sessions {
                let session = sample::session_for(&subject)?;
                store.insert(&session, SessionLimit::none()).await?;
            }
            Ok::<_, BoxError>(())
        });
    }
    while let Some(done) = working.join_next().await {
        done??;
    }
    Ok(())
}

async fn copy_in_sqlite(
    connection: &mut SqliteConnection,
    subject: &str,
    copies: usize,
) -> Result<(), BoxError> {
    let id = "substr(hex(randomblob(11)), 1, 21) || 'A'";
    let copies = format!(
        "(WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL \
         SELECT number + 1 FROM numbers WHERE number < {copies}) SELECT 1 FROM numbers)"
    );
    let copy = copy(subject, id, &copies);
    sqlx::query(AssertSqlSafe(copy)).execute(&mut *connection).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await?;
    Ok(())
}

/// Adds a copy of the one session of the subject for each row of `copies`, with a random identifier.
fn copy(subject: &str, id: &str, copies: &str) -> String {
    let columns = "issuer, subject, secret_hash, generation, created_at, rotated_at, idle_until, \
         expires_at, access_until, auth_time, client_id, scope, claims, user_agent, address";
    format!(
        "INSERT INTO tower_jwt_auth_sessions (id, {columns}) \
         SELECT {id}, {columns} FROM tower_jwt_auth_sessions, {copies} WHERE subject = '{subject}'"
    )
}
