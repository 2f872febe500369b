//! A change of the keys while two processes serve.

use std::fs;
use std::process::Output;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::client::{Browser, get};
use crate::server::{MAX_WAIT, Server, command, finish};
use crate::workspace::Workspace;

/// Runs a step of the change.
fn rotate(workspace: &Workspace, step: &str) -> Output {
    finish(command(&workspace.variables()).args(["rotate-keys", step]))
}

#[track_caller]
fn assert_rotates(workspace: &Workspace, step: &str) {
    let output = rotate(workspace, step);
    assert!(output.status.success(), "{step}: {output:?}");
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

    assert_rotates(&workspace, "remove");
    client
        .until("both have the new key alone", async || {
            published(&servers[0]).await == both[1..] && published(&servers[1]).await == both[1..]
        })
        .await;
    // A restart reads the same keys.
    let third = workspace.start();
    assert_eq!(published(&third).await, both[1..]);
    assert_eq!(client.browser.at(&third).is_alive().await, (true, true));
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

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_cannot_be_used_is_logged_and_the_keys_stay() {
    let workspace = Workspace::new();
    let [store, keys] = workspace.variables();
    let mut server = Server::start(&[store, keys, ("RUST_LOG", "info")]);
    let before = published(&server).await;
    let alice = Browser::sign_in(&server, "alice").await;
    let good = fs::read_to_string(workspace.keys()).unwrap();
    for broken in [&good[..good.len() / 2], "hunter2", ""] {
        fs::write(workspace.keys(), broken).unwrap();
        hang_up(&server);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(published(&server).await, before);
        assert_eq!(alice.call(Method::GET, "/api/me").await.status, StatusCode::OK);
    }
    fs::write(workspace.keys(), &good).unwrap();
    server.stop();
    let log = server.log();
    assert!(log.contains("the keys stay as they were"), "{log}");
    assert!(!log.contains("hunter2") && !log.contains("PRIVATE KEY"), "{log}");
    let secret: Value = serde_json::from_str(&good).unwrap();
    assert!(!log.contains(secret["refresh_secret"].as_str().unwrap()));
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
