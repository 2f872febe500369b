//! PostgreSQL.

mod connecting;
mod log;
mod sessions;

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tower_jwt_auth_core::{MemoryStore, SessionStore};
use tower_jwt_auth_sqlx::PostgresStore;
use tower_jwt_auth_tests::servers;

/// Creates a database and returns a store in it and its URL. Returns `None` if PostgreSQL is not installed.
async fn new_store() -> Option<(PostgresStore, String)> {
    let url = servers::postgres()?.new_database();
    Some((PostgresStore::connect(&url).await.unwrap(), url))
}

async fn connection(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn run(url: &str, sql: impl Into<String>) {
    let mut connection = connection(url).await;
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(&mut connection).await.unwrap();
}

mod conformance {
    use super::*;

    tower_jwt_auth_core::store_conformance!(async {
        match new_store().await {
            Some((store, _)) => Arc::new(store) as Arc<dyn SessionStore>,
            None => Arc::new(MemoryStore::new()),
        }
    });
}

/// The suite in a database whose default isolation level is not the one that the store requires.
mod conformance_under_serializable {
    use super::*;

    async fn store() -> Arc<dyn SessionStore> {
        let Some(server) = servers::postgres() else { return Arc::new(MemoryStore::new()) };
        let url = server.new_database();
        let name = url.rsplit('/').next().unwrap();
        let level = "SET default_transaction_isolation = 'serializable'";
        run(&url, format!("ALTER DATABASE \"{name}\" {level}")).await;
        Arc::new(PostgresStore::connect(&url).await.unwrap())
    }

    tower_jwt_auth_core::store_conformance!(store());
}
