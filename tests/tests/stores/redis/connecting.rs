use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use tower_jwt_auth_core::{RevocationLog, SessionLimit, SessionStore};
use tower_jwt_auth_redis::{ConnectError, RedisOptions, RedisStore};
use tower_jwt_auth_tests::servers::{self, Redis};
use tower_jwt_auth_tests::util::error_chain;

use super::{ANY, Workspace, follow};
use crate::support::{read, revoke, session};

const PASSWORD: &str = "hunter2-hunter2";

async fn refused(url: &str) -> ConnectError {
    let error = RedisStore::connect(url).await.unwrap_err();
    let text = format!("{} {error:?}", error_chain(&error));
    assert!(!text.contains(PASSWORD), "{text}");
    error
}

fn url(server: &Redis, user: &str) -> String {
    format!("redis://{user}@{}/", server.address())
}

#[tokio::test]
async fn an_invalid_url_is_an_error_that_does_not_repeat_it() {
    for url in [
        "",
        "nonsense",
        &format!("redis://u:{PASSWORD}@host:port/"),
        &format!("redis://u:{PASSWORD}@host/zero"),
        &format!("redis://u:{PASSWORD}@host/?protocol={PASSWORD}"),
        &format!("postgres://u:{PASSWORD}@host/"),
        &format!("redis://u:{PASSWORD}@"),
    ] {
        let error = refused(url).await;
        assert!(matches!(error, ConnectError::Url), "{url}: {}", error_chain(&error));
    }
    let error = refused(&format!("rediss://u:{PASSWORD}@host/")).await;
    assert!(matches!(error, ConnectError::Tls), "{}", error_chain(&error));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The socket accepts connections and never answers.
    let silent = refused(&format!("redis://u:{PASSWORD}@{address}/")).await;
    drop(listener);
    let closed = refused(&format!("redis://u:{PASSWORD}@{address}/")).await;
    for error in [silent, closed] {
        assert!(matches!(error, ConnectError::Unreachable(_)), "{}", error_chain(&error));
    }
}

#[tokio::test]
async fn a_wrong_password_is_an_error_that_does_not_show_it() {
    let Some(server) = Redis::start(&["--requirepass", "another"]) else { return };
    for user in [&format!(":{PASSWORD}"), &format!("nobody:{PASSWORD}"), ""] {
        let error = refused(&url(&server, user)).await;
        assert!(matches!(error, ConnectError::Authentication), "{}", error_chain(&error));
    }
    let store = RedisStore::connect(&url(&server, ":another")).await.unwrap();
    assert!(!format!("{store:?}").contains("another"));
}

#[tokio::test]
async fn a_resp3_url_works_and_shows_no_password_on_a_server_without_hello() {
    // A server without HELLO, such as some proxies, repeats the arguments in its error, including the password.
    let options = ["--rename-command", "HELLO", "", "--requirepass", PASSWORD];
    let Some(server) = Redis::start(&options) else { return };
    let address = server.address();
    let url = format!("redis://:{PASSWORD}@{address}/?protocol=resp3");
    let store = RedisStore::connect(&url).await.unwrap();
    store.insert(&session("alice"), ANY).await.unwrap();
    refused(&format!("redis://:wrong-{PASSWORD}@{address}/?protocol=resp3")).await;
}

/// Returns the ACL rules from the README, without the user name and password.
fn rules() -> Vec<&'static str> {
    let readme = include_str!("../../../../crates/tower-jwt-auth-redis/README.md");
    let start = readme.find("ACL SETUSER").unwrap();
    let (command, _) = readme[start..].split_once("```").unwrap();
    command.split_whitespace().filter(|word| *word != "\\").skip(4).collect()
}

fn new_user(server: &Redis, name: &str, more: &[&str]) -> String {
    let password = format!(">{PASSWORD}");
    server.cli(&[&["acl", "setuser", name, &password, "on"], &*rules(), more].concat());
    url(server, &format!("{name}:{PASSWORD}"))
}

#[tokio::test]
async fn the_permissions_in_the_readme_are_sufficient() {
    let Some(server) = Redis::start(&[]) else { return };
    assert!(rules().len() > 20, "{:?}", rules());
    let store = RedisStore::connect(&new_user(&server, "sessions", &[])).await.unwrap();
    let first = session("alice");
    store.insert(&first, SessionLimit::end_oldest(1)).await.unwrap();
    let ended = store.insert(&session("alice"), SessionLimit::end_oldest(1)).await.unwrap();
    assert_eq!(ended.len(), 1);
    revoke(&store).await;
    assert_eq!(read(&store, None).await.0.len(), 2);
    assert_eq!(store.after_restore().await.unwrap(), 1);
    store.purge_log(Duration::ZERO, 10).await.unwrap();
    store.purge_sessions(Duration::ZERO, 10).await.unwrap();
    let denied = server.cli(&["acl", "log"]);
    assert!(denied.trim().is_empty(), "{denied}");
}

#[tokio::test]
async fn a_missing_permission_is_an_error_at_connect_before_any_write() {
    let Some(server) = Redis::start(&[]) else { return };
    for (number, command) in
        ["hset", "zrem", "xadd", "xread", "zscan", "xdel", "info", "evalsha"].iter().enumerate()
    {
        let user = new_user(&server, &format!("user{number}"), &[&format!("-{command}")]);
        let error = refused(&user).await;
        let ConnectError::PermissionDenied { command: reported, .. } = &error else {
            panic!("{command}: {}", error_chain(&error))
        };
        assert!(reported.to_lowercase().contains(command), "{reported}");
    }
    let user = new_user(&server, "stranger", &["resetkeys", "~other:*"]);
    assert!(matches!(refused(&user).await, ConnectError::PermissionDenied { .. }));
    assert_eq!(server.cli(&["keys", "*"]).trim(), "", "nothing should be written");
}

#[tokio::test]
async fn a_replica_is_refused() {
    let (Some(primary), Some(replica)) = (Redis::start(&[]), Redis::start(&[])) else { return };
    follow(&replica, &primary);
    assert!(matches!(refused(&replica.url()).await, ConnectError::Replica));
    replica.cli(&["config", "set", "replica-read-only", "no"]);
    assert!(
        matches!(refused(&replica.url()).await, ConnectError::Replica),
        "a writable replica is also refused"
    );
}

#[tokio::test]
async fn a_server_that_evicts_keys_is_refused() {
    let Some(server) = Redis::start(&["--maxmemory-policy", "allkeys-lru"]) else { return };
    let error = refused(&server.url()).await;
    assert!(matches!(&error, ConnectError::EvictionPolicy { found } if found == "allkeys-lru"));
    assert!(error.to_string().contains("maxmemory-policy noeviction"), "{error}");
}

#[tokio::test]
async fn a_server_that_rejects_writes_is_refused() {
    let Some(server) = Redis::start(&["--min-replicas-to-write", "1"]) else { return };
    let error = refused(&server.url()).await;
    assert!(matches!(error, ConnectError::WritesRejected(_)), "{}", error_chain(&error));
}

#[tokio::test]
async fn a_cluster_node_without_the_slot_is_refused() {
    let Some(server) = Redis::start(&["--cluster-enabled", "yes"]) else { return };
    let error = refused(&server.url()).await;
    assert!(matches!(error, ConnectError::WrongNode(_)), "{}", error_chain(&error));
}

#[tokio::test]
async fn data_of_another_version_or_application_is_not_changed() {
    let Some(server) = Redis::start(&[]) else { return };
    server.cli(&["hset", "{tower-jwt-auth}:meta", "version", "7"]);
    let error = refused(&server.url()).await;
    assert!(matches!(&error, ConnectError::DataVersion { found, .. } if found == "7"), "{error}");
    server.cli(&["del", "{tower-jwt-auth}:meta"]);
    for name in ["meta", "over", "log", "until", "revoked", "heartbeats"] {
        let key = format!("{{tower-jwt-auth}}:{name}");
        server.cli(&["set", &key, "theirs"]);
        let error = refused(&server.url()).await;
        let ConnectError::WrongType { key: reported, found } = &error else { panic!("{error}") };
        assert_eq!((reported, &**found), (&key, "string"));
        assert_eq!(server.cli(&["getdel", &key]).trim(), "theirs");
    }
    RedisStore::connect(&server.url()).await.unwrap();
}

/// A newer release migrates the data while this one still runs.
#[tokio::test]
async fn data_that_changes_to_another_version_is_no_longer_used() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let known = session("alice");
    workspace.store.insert(&known, ANY).await.unwrap();
    server.cli(&["hset", &workspace.key("meta"), "version", "3"]);
    workspace.store.insert(&session("bob"), ANY).await.unwrap_err();
    workspace.store.load(known.id()).await.unwrap_err();
    server.cli(&["hset", &workspace.key("meta"), "version", "2"]);
    assert_eq!(workspace.store.load(known.id()).await.unwrap().unwrap().session, known);
}

/// Starts a server that answers INFO with an old version, which is as far as `connect` gets.
fn old_server() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let asked = String::from_utf8_lossy(&buffer[..length]).to_uppercase();
            let info = "# Server\r\nredis_version:6.2.14\r\nrole:master\r\n";
            let answer = format!("${}\r\n{info}\r\n", info.len());
            let answers = answer.repeat(asked.matches("\r\nINFO\r\n").count());
            client.write_all(answers.as_bytes()).unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused() {
    let error = refused(&format!("redis://{}/", old_server())).await;
    let ConnectError::OldServer { found } = &error else { panic!("{}", error_chain(&error)) };
    assert_eq!(found, "6.2.14");
}

#[tokio::test]
async fn invalid_options_are_refused() {
    for within in [Duration::ZERO, Duration::from_secs(2)] {
        let options = RedisOptions::default().with_replicas(1, within);
        let error = RedisStore::connect_with("redis://127.0.0.1:1/", options).await.unwrap_err();
        assert!(matches!(error, ConnectError::WaitTimeout), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_confirm_fsync_is_refused_if_fsync_is_configured() {
    let Some(forgetful) = servers::redis() else { return };
    let options = RedisOptions::default().with_fsync();
    let error = RedisStore::connect_with(&forgetful.url(), options.clone()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Fsync { .. }), "{}", error_chain(&error));

    let Some(durable) = super::durable_server() else { return };
    let knows = !durable.cli(&["command", "info", "waitaof"]).trim().is_empty();
    match RedisStore::connect_with(&durable.url(), options).await {
        Ok(store) => {
            assert!(knows);
            revoke(&store).await;
        }
        Err(error) => {
            assert!(!knows, "{}", error_chain(&error));
            let ConnectError::Fsync { remedy } = &error else { panic!("{}", error_chain(&error)) };
            assert!(remedy.contains("7.2"), "{remedy}");
        }
    }
}
