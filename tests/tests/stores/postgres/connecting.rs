use std::net::TcpListener;

use sqlx::postgres::PgPoolOptions;
use tower_jwt_auth_core::{SessionLimit, SessionStore};
use tower_jwt_auth_sqlx::{ConnectError, PostgresStore};
use tower_jwt_auth_tests::log_capture;
use tower_jwt_auth_tests::servers::{self, Postgres};
use tower_jwt_auth_tests::util::error_chain;

use super::{new_store, run};
use crate::support::{assert_works_after_migration, rows_of_version_1, session};

#[tokio::test]
async fn an_invalid_connection_string_is_an_error_that_does_not_repeat_it() {
    log_capture::install();
    log_capture::watch_for("hunter-two");
    for url in [
        "",
        "nonsense",
        "postgres://u:secret@host:port/db",
        "postgres://u:secret@[::/db",
        // sqlx would log an unknown parameter.
        "postgres://u@host/db?pasword=hunter-two",
        "postgres://u@host/db?sslmode=disable&hunter-two",
    ] {
        let error = PostgresStore::connect(url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Url(_)), "{url}: {}", error_chain(&error));
        let text = error_chain(&error);
        assert!(!text.contains("secret") && !text.contains("hunter"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_an_error() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    // The socket accepts connections and never answers.
    let silent = PostgresStore::connect(&format!("postgres://u:secret@127.0.0.1:{port}/db")).await;
    drop(nobody);
    let refused = PostgresStore::connect(&format!("postgres://u:secret@127.0.0.1:{port}/db")).await;
    for error in [silent.unwrap_err(), refused.unwrap_err()] {
        assert!(matches!(error, ConnectError::Unreachable(_)), "{}", error_chain(&error));
        assert!(!error_chain(&error).contains("secret"), "{}", error_chain(&error));
    }
}

#[tokio::test]
async fn an_unknown_database_or_user_is_an_error() {
    let Some(server) = servers::postgres() else { return };
    for (user, database) in [("postgres", "nowhere"), ("nobody", "postgres")] {
        let url = format!("postgres://{user}@{}/{database}", server.address());
        let error = PostgresStore::connect(&url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Rejected(_)), "{}", error_chain(&error));
    }
    // This user may not create tables.
    let url = server.new_database();
    run(&url, format!("CREATE ROLE \"{}\" LOGIN", url.rsplit('/').next().unwrap())).await;
    let database = url.rsplit('/').next().unwrap();
    let theirs = format!("postgres://{database}@{}/{database}", server.address());
    let error = PostgresStore::connect(&theirs).await.unwrap_err();
    assert!(matches!(error, ConnectError::Rejected(_)), "{}", error_chain(&error));
}

#[tokio::test]
async fn an_application_can_create_the_tables_for_a_user_who_may_not() {
    let Some(server) = servers::postgres() else { return };
    let url = server.new_database();
    let missing = PostgresStore::connect_existing(&url).await;
    assert!(matches!(missing, Err(ConnectError::NoTables)), "{missing:?}");
    for migration in PostgresStore::MIGRATIONS {
        run(&url, migration.sql).await;
    }
    let user = url.rsplit('/').next().unwrap();
    run(
        &url,
        format!(
            "CREATE ROLE \"{user}\" LOGIN; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON tower_jwt_auth_meta, tower_jwt_auth_run, \
             tower_jwt_auth_sessions, tower_jwt_auth_log TO \"{user}\""
        ),
    )
    .await;
    let theirs = format!("postgres://{user}@{}/{user}", server.address());
    let store = PostgresStore::connect_existing(&theirs).await.unwrap();
    let new = session("alice");
    store.insert(&new, SessionLimit::end_oldest(1)).await.unwrap();
    store.insert(&session("alice"), SessionLimit::end_oldest(1)).await.unwrap();
    crate::support::revoke(&store).await;
    assert_eq!(crate::support::read(&store, None).await.0.len(), 2);
    // The tables exist, so `connect` creates nothing.
    PostgresStore::connect(&theirs).await.unwrap();
}

#[tokio::test]
async fn tables_of_earlier_versions_are_migrated_with_their_rows() {
    let Some(server) = servers::postgres() else { return };
    for version in [1, 2] {
        let url = server.new_database();
        for migration in &PostgresStore::MIGRATIONS[..version] {
            run(&url, migration.sql).await;
        }
        run(&url, rows_of_version_1(&format!("'\\x{}'", "07".repeat(32)))).await;
        let error = PostgresStore::connect_existing(&url).await.unwrap_err();
        let expected = format!("the tables are of version {version}, not 3: run the migrations");
        assert_eq!(error.to_string(), expected);
        assert_works_after_migration(&PostgresStore::connect(&url).await.unwrap()).await;
        PostgresStore::connect_existing(&url).await.unwrap();
    }
}

#[tokio::test]
async fn tables_of_another_version_are_refused() {
    let Some((_, url)) = new_store().await else { return };
    run(&url, "UPDATE tower_jwt_auth_meta SET version = 4").await;
    for newer in [PostgresStore::connect(&url).await, PostgresStore::connect_existing(&url).await] {
        let error = newer.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the tables are of version 4, which is newer than 3: run a newer release"
        );
    }
    run(&url, "UPDATE tower_jwt_auth_meta SET version = 0").await;
    let error = PostgresStore::connect_existing(&url).await.unwrap_err();
    assert_eq!(error.to_string(), "the tables are of version 0, not 3: run the migrations");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_connects_to_an_empty_database_all_succeed() {
    let Some(server) = servers::postgres() else { return };
    let url = server.new_database();
    let connecting = (0..8).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { PostgresStore::connect(&url).await })
    });
    for connected in connecting.collect::<Vec<_>>() {
        connected.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_standby_is_refused() {
    let Some(mut server) = Postgres::start() else { return };
    let url = server.new_database();
    drop(PostgresStore::connect(&url).await.unwrap());
    server.stop();
    std::fs::write(server.dir().join("standby.signal"), "").unwrap();
    server.start_again();
    for refused in [PostgresStore::connect(&url).await, PostgresStore::connect_existing(&url).await]
    {
        let error = refused.unwrap_err();
        assert!(matches!(error, ConnectError::Standby), "{}", error_chain(&error));
    }
}

#[tokio::test]
async fn a_pool_of_the_application_is_used_and_its_settings_are_checked() {
    let Some((_, url)) = new_store().await else { return };
    let pool = PgPoolOptions::new().max_connections(2).connect(&url).await.unwrap();
    let store = PostgresStore::with_pool(pool.clone()).await.unwrap();
    let new = session("alice");
    for _ in 0..20 {
        store.load(new.id()).await.unwrap();
        // The application can still acquire its connections.
        let both = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
        drop(both);
    }
    store.insert(&new, SessionLimit::none()).await.unwrap();
    assert_eq!(store.load(new.id()).await.unwrap().unwrap().session, new);

    for (setting, message) in [
        (
            "default_transaction_isolation=repeatable%20read",
            "the pool's connections have default_transaction_isolation = repeatable read: \
             set it to 'read committed'",
        ),
        (
            "default_transaction_read_only=on",
            "the pool's connections have default_transaction_read_only = on: set it to off",
        ),
        (
            "synchronous_commit=off",
            "the pool's connections have synchronous_commit = off: set it to on",
        ),
    ] {
        let (name, value) = setting.split_once('=').unwrap();
        let pool = PgPoolOptions::new().connect(&format!("{url}?options[{name}]={value}")).await;
        let error = PostgresStore::with_pool(pool.unwrap()).await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[tokio::test]
async fn the_connection_string_can_name_a_schema() {
    let Some(server) = servers::postgres() else { return };
    let url = server.new_database();
    run(&url, "CREATE SCHEMA auth").await;
    let theirs = format!("{url}?options[search_path]=auth");
    let store = PostgresStore::connect(&theirs).await.unwrap();
    store.insert(&session("alice"), SessionLimit::none()).await.unwrap();
    assert_eq!(server.psql(&url, "SELECT count(*) FROM auth.tower_jwt_auth_sessions").trim(), "1");
}

#[test]
fn a_store_may_outlive_its_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(new_store());
    drop(runtime);
    drop(store);
}

#[tokio::test]
async fn a_database_without_utf_8_is_refused() {
    let Some(server) = servers::postgres() else { return };
    server.psql(
        &server.url(),
        "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    );
    let url = format!("postgres://postgres@{}/latin", server.address());
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the database has the encoding LATIN1: create a database with the encoding UTF8"
    );
}

#[tokio::test]
async fn a_database_with_read_only_transactions_by_default_works() {
    let Some(server) = servers::postgres() else { return };
    let url = server.new_database();
    let name = url.rsplit('/').next().unwrap();
    run(&url, format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let store = PostgresStore::connect(&url).await.unwrap();
    store.insert(&session("alice"), SessionLimit::none()).await.unwrap();
}
