//! The errors for a `STORE` that cannot be used.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use tower_jwt_auth_tests::servers;

use crate::server::{Server, run};
use crate::start::assert_refused;
use crate::workspace::Workspace;

const PASSWORD: &str = "hunter2";

#[track_caller]
fn assert_store_refused(store: &str, message: &str) {
    assert_refused(&[("STORE", store)], message);
}

#[test]
fn a_store_of_an_unknown_kind_is_refused_and_not_repeated() {
    let texts = [
        "",
        "Memory",
        PASSWORD,
        "mysql://root:hunter2@localhost/db",
        "user:hunter2@localhost",
        "redis:hunter2",
        "postgres:hunter2",
        "://hunter2",
    ];
    for text in texts {
        assert_store_refused(text, "STORE cannot be used: give memory, sqlite:PATH, postgres://");
        let output = run(&[("STORE", text), ("RUST_LOG", "trace")]);
        assert!(!String::from_utf8(output.stderr).unwrap().contains(PASSWORD), "{text}");
    }
    for text in ["sqlite:", "sqlite://", "sqlite::memory:"] {
        assert_store_refused(text, "the path of a file, as in sqlite:sessions.db");
    }
    if cfg!(not(feature = "tls")) {
        assert_store_refused("rediss://:hunter2@localhost", "built without TLS");
    }
}

#[cfg(unix)]
#[test]
fn a_store_that_is_not_utf_8_is_refused_and_not_repeated() {
    use std::os::unix::ffi::OsStrExt as _;
    let store = std::ffi::OsStr::from_bytes(b"redis://:hunter2\xff@localhost");
    let output = crate::server::finish(crate::server::command(&[]).env("STORE", store));
    assert!(!String::from_utf8_lossy(&output.stderr).contains(PASSWORD));
    crate::start::assert_reports(output, "STORE cannot be read: give it in UTF-8");
}

#[test]
fn an_unusable_sqlite_file_is_a_readable_error() {
    let workspace = Workspace::new();
    let refused = |path: &str, message: &str| {
        let start = format!("cannot use the SQLite file {path:?} as the store: {message}");
        assert_store_refused(&format!("sqlite:{path}"), &start);
    };
    refused(&workspace.path("nowhere/sessions.db"), "the database file cannot be opened: ");
    refused(&workspace.path(""), "the database file cannot be opened: ");
    let text = workspace.path("text");
    fs::write(&text, "This is not a database. ".repeat(100)).unwrap();
    refused(&text, "the file is not a SQLite database: use another path");
}

/// The schemes of the stores that are servers.
const SCHEMES: [&str; 2] = ["postgres", "redis"];

#[test]
fn an_unreachable_server_is_a_readable_error() {
    for scheme in SCHEMES {
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        for host in [format!("127.0.0.1:{port}"), "no-such-host.invalid".to_owned()] {
            let store = format!("{scheme}://someone:{PASSWORD}@{host}/0");
            let begun = Instant::now();
            assert_store_refused(&store, "server of STORE: ");
            assert!(begun.elapsed() < Duration::from_secs(15), "{scheme}: {:?}", begun.elapsed());
            assert_never_shown(&store);
        }
    }
}

#[test]
fn a_silent_server_is_an_error_after_a_while() {
    std::thread::scope(|scope| {
        for scheme in SCHEMES {
            scope.spawn(move || {
                // The system accepts the connections, and no program reads from them.
                let silent = TcpListener::bind("127.0.0.1:0").unwrap();
                let store = format!("{scheme}://{}/0", silent.local_addr().unwrap());
                let begun = Instant::now();
                assert_store_refused(&store, "server of STORE: ");
                assert!(begun.elapsed() < Duration::from_secs(15), "{scheme}");
            });
        }
    });
}

#[track_caller]
fn assert_never_shown(store: &str) {
    let output = run(&[("STORE", store), ("RUST_LOG", "trace")]);
    assert!(!output.status.success());
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(!log.contains(PASSWORD), "{log}");
}

#[test]
fn an_unusable_redis_is_a_readable_error() {
    let evicting = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let Some(evicting) = servers::Redis::start(&evicting) else { return };
    let refused = |store: &str, message: &str| {
        let start = format!("cannot use the Redis server of STORE: {message}");
        assert_store_refused(store, &start);
        assert_never_shown(store);
    };
    refused(&evicting.url(), "the server evicts keys when memory is full (allkeys-lru): set max");

    let guarded = servers::Redis::start(&["--requirepass", "looking-glass"]).unwrap();
    let at = guarded.address();
    for store in [guarded.url(), format!("redis://:{PASSWORD}@{at}/")] {
        refused(&store, "the server rejects the user or the password");
    }
    drop(Server::start(&[("STORE", &format!("redis://:looking-glass@{at}/"))]));

    let replica = format!("{} {}", evicting.address().ip(), evicting.port());
    let replica = servers::Redis::start(&["--replicaof", &replica]).unwrap();
    refused(&replica.url(), "the server is a replica: connect to the primary");
    refused(&format!("redis://:{PASSWORD}@{at}:x/"), "the URL cannot be parsed: use redis://");
}

#[test]
fn an_unusable_postgres_is_a_readable_error() {
    let Some(postgres) = servers::postgres() else { return };
    let host = postgres.address();
    let refused = |rest: &str, message: &str| {
        let store = format!("postgres://{rest}");
        assert_store_refused(
            &store,
            &format!("cannot use the PostgreSQL server of STORE: {message}"),
        );
        assert_never_shown(&store);
    };
    refused(
        &format!("postgres:{PASSWORD}@{host}/nothing"),
        "the database server rejects the user: ",
    );
    refused(
        &format!("nobody:{PASSWORD}@{host}/postgres"),
        "the database server rejects the user: ",
    );
    refused(&format!("postgres:{PASSWORD}@{host}:x:y/postgres"), "the connection string cannot be");
    if cfg!(not(feature = "tls")) {
        refused(&format!("postgres:{PASSWORD}@{host}/postgres?sslmode=require"), "");
    }
}

#[test]
fn tables_of_a_newer_release_are_a_readable_error() {
    let Some(postgres) = servers::postgres() else { return };
    let store = postgres.new_database();
    drop(Server::start(&[("STORE", &store)]));
    postgres.psql(&store, "UPDATE tower_jwt_auth_meta SET version = 99");
    assert_store_refused(&store, "the tables are of version 99, which is newer than");
}

#[test]
fn keys_of_a_newer_release_are_a_readable_error() {
    let Some(redis) = servers::redis() else { return };
    let store = format!("{}6", redis.url());
    drop(Server::start(&[("STORE", &store)]));
    redis.cli(&["-n", "6", "HSET", "{tower-jwt-auth}:meta", "version", "99"]);
    assert_store_refused(&store, "99");
}
