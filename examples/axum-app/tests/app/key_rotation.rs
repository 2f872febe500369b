//! A change of the keys while two processes serve.

use std::fs;
use std::process::Output;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, KeySet, SigningKey};

use crate::client::{Browser, get};
use crate::server::{MAX_WAIT, Server, command, finish};
use crate::workspace::Workspace;

const README: &str = include_str!("../../README.md");
const GUIDE: &str = include_str!("../../../../crates/tower-jwt-auth/src/guide/key_rotation.md");

/// Runs a step of the change.
fn rotate(workspace: &Workspace, step: &str) -> Output {
    finish(command(&workspace.variables()).args(["rotate-keys", step]))
}

#[track_caller]
fn assert_rotates(workspace: &Workspace, step: &str) {
    let output = rotate(workspace, step);
    assert!(output.status.success(), "{step}: {output:?}");
    // The pages show the real output.
    let text = format!(" rotate-keys {step}\n{}", String::from_utf8(output.stdout).unwrap());
    assert!(README.contains(&text) && GUIDE.contains(&text), "{text}");
}

#[track_caller]
fn assert_fails(workspace: &Workspace, step: &str, message: &str) {
    let before = fs::read_to_string(workspace.keys()).unwrap();
    let output = rotate(workspace, step);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && stderr.contains(message), "{stderr}");
    assert_eq!(fs::read_to_string(workspace.keys()).unwrap(), before);
}

/// Returns the `kid`s that a server publishes.
async fn published(server: &Server) -> Vec<String> {
    let set: Value = get(server, "/.well-known/jwks.json").await.json();
    let keys = set["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// A client that calls and refreshes at both servers in turns.
struct Client<'s> {
    servers: &'s [Server; 2],
    browser: Browser,
    turn: usize,
}

impl Client<'_> {
    async fn step(&mut self) {
        self.turn += 1;
        self.browser = self.browser.at(&self.servers[self.turn % 2]);
        let response = self.browser.call(Method::GET, "/api/me").await;
        assert_eq!(response.status, StatusCode::OK, "{response:?}");
        let response = self.browser.post("/auth/refresh").await;
        assert_eq!(response.status, StatusCode::OK, "{response:?}");
        self.browser.keep(&response);
    }

    /// Goes on until a condition holds.
    async fn until(&mut self, condition: &str, mut holds: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + MAX_WAIT;
        while !holds().await {
            assert!(Instant::now() < deadline, "not in time: {condition}");
            self.step().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.step().await;
        self.step().await;
    }
}

#[tokio::test]
async fn the_keys_of_two_processes_change_and_no_request_is_rejected() {
    let workspace = Workspace::new();
    let servers = [workspace.start(), workspace.start()];
    let first = published(&servers[0]).await;
    assert_eq!(first.len(), 1);
    let browser = Browser::sign_in(&servers[0], "alice").await;
    let mut client = Client { servers: &servers, browser, turn: 0 };
    client.step().await;
    // Keeps a token that the first key has signed.
    let old = client.browser.clone();
    let old_token = async || {
        let first = old.at(&servers[0]).call(Method::GET, "/api/me").await;
        let second = old.at(&servers[1]).call(Method::GET, "/api/me").await;
        [first.status, second.status]
    };

    assert_rotates(&workspace, "publish");
    client
        .until("both publish the next key", async || {
            published(&servers[0]).await.len() == 2 && published(&servers[1]).await.len() == 2
        })
        .await;
    let both = published(&servers[0]).await;
    assert_eq!(both[0], first[0]);

    assert_rotates(&workspace, "sign");
    let is_signing = async |server: &Server| published(server).await.first() == Some(&both[1]);
    client
        .until("both sign with the new key", async || {
            is_signing(&servers[0]).await && is_signing(&servers[1]).await
        })
        .await;
    // The old key verifies tokens and cannot sign any more: the file has its public part.
    let file: Value = serde_json::from_str(&fs::read_to_string(workspace.keys()).unwrap()).unwrap();
    let previous = &file["previous_signing_key"]["jwk"];
    assert_eq!(previous["kid"], first[0].as_str());
    assert!(previous.get("d").is_none());
    assert_eq!(old_token().await, [StatusCode::OK; 2]);

    assert_rotates(&workspace, "remove");
    client
        .until("both have the new key alone", async || {
            published(&servers[0]).await == both[1..] && published(&servers[1]).await == both[1..]
        })
        .await;
    assert_eq!(old_token().await, [StatusCode::UNAUTHORIZED; 2]);
    // A restart reads the same keys.
    let third = workspace.start();
    assert_eq!(published(&third).await, both[1..]);
    assert_eq!(client.browser.at(&third).is_alive().await, (true, true));
}

#[tokio::test]
async fn the_next_key_may_be_public_until_it_signs() {
    let workspace = Workspace::new();
    drop(workspace.start());
    assert_rotates(&workspace, "publish");
    let mut file: Value =
        serde_json::from_str(&fs::read_to_string(workspace.keys()).unwrap()).unwrap();
    let private = file.as_object_mut().unwrap().remove("next_signing_key").unwrap();
    let next =
        SigningKey::from_pem(Algorithm::EdDSA, private.as_str().unwrap().as_bytes()).unwrap();
    let set: Value =
        serde_json::from_str(&KeySet::from(next.verifying_key().clone()).to_jwks()).unwrap();
    file["next_public_key"] = set["keys"][0].clone();
    fs::write(workspace.keys(), file.to_string()).unwrap();

    let ids = published(&workspace.start()).await;
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[1], next.key_id());
    assert_fails(&workspace, "publish", "the next keys are published already");
    assert_fails(&workspace, "sign", "replace next_public_key by next_signing_key");

    file["next_signing_key"] = private;
    fs::write(workspace.keys(), file.to_string()).unwrap();
    assert_fails(&workspace, "sign", "next_public_key: remove it");
    file.as_object_mut().unwrap().remove("next_public_key");
    fs::write(workspace.keys(), file.to_string()).unwrap();
    assert_rotates(&workspace, "sign");
    assert_eq!(published(&workspace.start()).await[0], ids[1]);
}

#[test]
fn a_step_in_the_wrong_order_changes_nothing() {
    let workspace = Workspace::new();
    drop(workspace.start());
    assert_fails(&workspace, "sign", "there are no next keys: publish them first");
    assert_fails(&workspace, "remove", "there are no previous keys");
    assert_fails(&workspace, "hunter2", "give publish, sign or remove");
    assert_rotates(&workspace, "publish");
    assert_fails(&workspace, "publish", "the next keys are published already");
    assert_rotates(&workspace, "sign");
    assert_fails(&workspace, "publish", "remove them first");
    assert_rotates(&workspace, "remove");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(workspace.keys()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// Waits until a text is in the log after this position.
#[cfg(unix)]
async fn logged(server: &Server, after: usize, text: &str) {
    let deadline = Instant::now() + MAX_WAIT;
    while !server.log_so_far()[after..].contains(text) {
        assert!(Instant::now() < deadline, "{text}: {}", server.log_so_far());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_cannot_be_used_is_logged_and_the_keys_stay() {
    let workspace = Workspace::new();
    let [store, keys] = workspace.variables();
    let mut server = Server::start(&[store, keys, ("RUST_LOG", "info")]);
    let before = published(&server).await;
    let alice = Browser::sign_in(&server, "alice").await;
    assert_rotates(&workspace, "publish");
    hang_up(&server);
    logged(&server, 0, "read new keys").await;
    let both = published(&server).await;
    assert_eq!((before.len(), both.len()), (1, 2));

    let good = fs::read_to_string(workspace.keys()).unwrap();
    let file: Value = serde_json::from_str(&good).unwrap();
    let with = |member: &str, value: Value| {
        let mut file = file.clone();
        file[member] = value;
        file.to_string()
    };
    let broken = [
        (good[..good.len() / 2].to_owned(), "see line "),
        ("hunter2".to_owned(), "see line 1, column 1"),
        (String::new(), "see line 1, column 0"),
        (with("signing_key", "hunter2".into()), "signing_key: "),
        (with("next_signing_key", "hunter2".into()), "next_signing_key: "),
        (with("refresh_secret", "hunter2".into()), "refresh_secret: "),
        (with("next_refresh_secret", "hunter2".into()), "next_refresh_secret: "),
        (with("previous_refresh_secret", "hunter2".into()), "previous_refresh_secret: "),
        (with("previous_signing_key", json!({ "jwk": {}, "retired_at": 0 })), "previous_signing_"),
        (with("next_signing_key", file["signing_key"].clone()), "next_signing_key: "),
        (with("previous_signing_key", json!({ "jwk": "hunter2" })), "see line "),
        (with("next_public_key", json!({ "kty": "hunter2" })), "next_public_key: "),
    ];
    for (text, message) in &broken {
        let known = server.log_so_far().len();
        fs::write(workspace.keys(), text).unwrap();
        hang_up(&server);
        logged(&server, known, message).await;
        assert_eq!(published(&server).await, both);
        assert_eq!(alice.call(Method::GET, "/api/me").await.status, StatusCode::OK);
    }
    // A file that can be used is used again.
    fs::write(workspace.keys(), &good).unwrap();
    assert_rotates(&workspace, "sign");
    hang_up(&server);
    let deadline = Instant::now() + MAX_WAIT;
    while published(&server).await.first() != Some(&both[1]) {
        assert!(Instant::now() < deadline, "{}", server.log_so_far());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    server.stop();
    let log = server.log();
    assert!(log.contains("the keys stay as they were"), "{log}");
    assert!(!log.contains("hunter2") && !log.contains("PRIVATE KEY"), "{log}");
    for member in ["signing_key", "refresh_secret", "next_signing_key", "next_refresh_secret"] {
        // The second line of a PEM text is the key.
        let secret = file[member].as_str().unwrap();
        let secret = secret.lines().nth(1).unwrap_or(secret);
        assert!(secret.len() > 40 && !log.contains(secret), "{member}");
    }
}

/// Sends SIGHUP.
#[cfg(unix)]
fn hang_up(server: &Server) {
    let status =
        std::process::Command::new("kill").args(["-HUP", &server.pid().to_string()]).status();
    assert!(status.unwrap().success());
}

#[cfg(unix)]
#[tokio::test]
async fn a_hang_up_reads_a_file_whose_change_the_polling_cannot_notice() {
    let workspace = Workspace::new();
    let server = workspace.start();
    let first = published(&server).await;
    let about = fs::metadata(workspace.keys()).unwrap();
    // Other keys in a file of the same time and length.
    let other = Workspace::new();
    drop(other.start());
    let draft = workspace.path("draft");
    fs::copy(other.keys(), &draft).unwrap();
    let file = fs::File::options().write(true).open(&draft).unwrap();
    assert_eq!(file.metadata().unwrap().len(), about.len());
    file.set_modified(about.modified().unwrap()).unwrap();
    fs::rename(&draft, workspace.keys()).unwrap();

    hang_up(&server);
    let deadline = Instant::now() + MAX_WAIT;
    while published(&server).await == first {
        assert!(Instant::now() < deadline, "the signal has no effect");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_hang_up_reads_the_keys_at_once() {
    let workspace = Workspace::new();
    let server = workspace.start();
    // Within the interval of the polling, several times.
    for step in ["publish", "sign", "remove"] {
        assert_rotates(&workspace, step);
        hang_up(&server);
        let begun = Instant::now();
        let keys = if step == "remove" { 1 } else { 2 };
        while published(&server).await.len() != keys {
            assert!(begun.elapsed() < MAX_WAIT, "{step}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
