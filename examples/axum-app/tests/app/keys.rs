//! `KEYS`: a private file, which is created once and shared.

use std::{fs, thread};

use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, SigningKey};

use crate::client::Browser;
use crate::server::{Server, run};
use crate::start::assert_refused;
use crate::workspace::Workspace;

fn write_private(path: &str, text: &str) {
    let _ = fs::remove_file(path);
    fs::write(path, text).unwrap();
    set_mode(path, 0o600);
}

#[cfg(unix)]
fn set_mode(path: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_path: &str, _mode: u32) {}

/// A key of another kind.
const P256: &str = include_str!("../../../../tests/keys/p256.pem");

fn keys_of(workspace: &Workspace) -> Value {
    serde_json::from_str(&fs::read_to_string(workspace.keys()).unwrap()).unwrap()
}

/// Asserts that these keys are refused with this message.
#[track_caller]
fn assert_keys_refused(workspace: &Workspace, text: &str, message: &str) {
    write_private(workspace.keys(), text);
    assert_refused(
        &workspace.variables(),
        &format!("cannot use KEYS={:?}: {message}", workspace.keys()),
    );
}

#[test]
fn the_first_start_creates_a_file_that_only_its_owner_may_read() {
    let workspace = Workspace::new();
    drop(workspace.start());
    let keys = keys_of(&workspace);
    assert_eq!(keys.as_object().unwrap().len(), 2);
    assert!(keys["signing_key"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    // 32 bytes.
    assert_eq!(keys["refresh_secret"].as_str().unwrap().len(), 43);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(workspace.keys()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let names =
        fs::read_dir(workspace.directory()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.filter(|name| name.to_string_lossy().contains("keys")).collect();
    assert_eq!(names, ["keys.json"]);
}

#[test]
fn later_starts_leave_the_file_as_it_is() {
    let workspace = Workspace::new();
    drop(workspace.start());
    let before = keys_of(&workspace);
    drop(workspace.start());
    assert_eq!(keys_of(&workspace), before);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_or_write_is_refused() {
    let workspace = Workspace::new();
    drop(workspace.start());
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o666] {
        set_mode(workspace.keys(), mode);
        assert_refused(&workspace.variables(), "run chmod 600 on it");
    }
    set_mode(workspace.keys(), 0o400);
    drop(workspace.start());
}

#[test]
fn a_file_of_another_format_is_refused_and_not_shown() {
    let workspace = Workspace::new();
    let texts = [
        "",
        "hunter2",
        r#""hunter2""#,
        "{}",
        r#"{"signing_key":"hunter2"}"#,
        r#"{"signing_key":"hunter2","refresh_secret":17}"#,
        r#"{"signing_key":"","refresh_secret":"","hunter2":""}"#,
        r#"{"signing_key":"","refresh_secret":"","refresh_secret":"hunter2"}"#,
    ];
    for text in texts {
        assert_keys_refused(
            &workspace,
            text,
            "it is not a JSON object of signing_key and refresh_sec",
        );
        let output = run(&workspace.variables());
        assert!(!String::from_utf8(output.stderr).unwrap().contains("hunter2"), "{text}");
        assert_eq!(fs::read_to_string(workspace.keys()).unwrap(), text, "it has been overwritten");
    }
}

#[test]
fn unusable_keys_are_refused_and_not_shown() {
    let workspace = Workspace::new();
    drop(workspace.start());
    let good = keys_of(&workspace);
    let with = |name: &str, value: &str| {
        let mut keys = good.clone();
        keys[name] = json!(value);
        keys.to_string()
    };
    for key in ["", "hunter2", P256] {
        let error = SigningKey::from_pem(Algorithm::EdDSA, key.as_bytes()).unwrap_err().to_string();
        assert!(
            error.contains("EdDSA") && error.contains("give an Ed25519 private key"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
        let message = format!("signing_key: {error}");
        assert_keys_refused(&workspace, &with("signing_key", key), &message);
    }
    let secrets = [
        ("hunter2+/=", "refresh_secret: give 32 random bytes in base64url"),
        (
            "aHVudGVyMg",
            "refresh_secret: a secret for HS256 needs at least 32 bytes, this one has 7\n",
        ),
    ];
    for (secret, message) in secrets {
        assert_keys_refused(&workspace, &with("refresh_secret", secret), message);
    }
    write_private(workspace.keys(), &good.to_string());
    drop(workspace.start());
}

#[test]
fn a_file_that_cannot_be_read_or_created_is_a_readable_error() {
    let workspace = Workspace::new();
    let [store, _] = workspace.variables();
    let refused = |keys: &str, message: &str| assert_refused(&[store, ("KEYS", keys)], message);
    let inside = |name: &str| workspace.path(name);
    let missing = inside("nowhere/keys.json");
    refused(&missing, &format!("cannot create KEYS={missing:?}: "));
    refused(&inside(""), "it is not a regular file");
    fs::write(inside("file"), "").unwrap();
    refused(&inside("file/keys.json"), "cannot read KEYS=");
    refused("", "KEYS is empty: give the path of a file");
    // It must not wait for a pipe without a writer.
    #[cfg(unix)]
    if std::process::Command::new("mkfifo").arg(inside("pipe")).status().is_ok() {
        refused(&inside("pipe"), "it is not a regular file");
    }
}

#[test]
fn keys_with_sessions_in_memory_are_refused() {
    let workspace = Workspace::new();
    for store in [&[][..], &[("STORE", "memory")]] {
        let variables = [store, &[("KEYS", workspace.keys())]].concat();
        assert_refused(&variables, "KEYS is set but sessions are kept in memory: set STORE");
    }
}

#[cfg(unix)]
#[test]
fn a_durable_store_without_keys_is_a_warning_in_the_log() {
    let workspace = Workspace::new();
    let [store, keys] = workspace.variables();
    let log = ("RUST_LOG", "warn");
    for (variables, is_warned) in [(&[store, log][..], true), (&[store, keys, log], false)] {
        let mut server = Server::start(variables);
        server.stop();
        assert_eq!(
            server.log().contains("KEYS is not set: a restart signs everyone out"),
            is_warned
        );
    }
}

#[tokio::test]
async fn processes_that_create_the_files_at_the_same_time_accept_one_another_s_tokens() {
    for workspace in Workspace::each(7) {
        let servers: Vec<Server> = thread::scope(|scope| {
            let starting: Vec<_> = (0..4).map(|_| scope.spawn(|| workspace.start())).collect();
            starting.into_iter().map(|server| server.join().unwrap()).collect()
        });
        for server in &servers {
            let alice = Browser::sign_in(server, "alice").await;
            for other in &servers {
                assert_eq!(alice.at(other).is_alive().await, (true, true));
            }
        }
    }
}
