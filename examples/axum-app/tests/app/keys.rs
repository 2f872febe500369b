//! `KEYS`: a file that is made once, kept private, and shared.

use std::{fs, thread};

use serde_json::{Value, json};

use crate::client::Browser;
use crate::place::Place;
use crate::server::{Server, run};
use crate::start::assert_refused;

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
const P256: &str = include_str!("../../../../tests/tests/contract/keys/p256.pem");

fn keys_of(place: &Place) -> Value {
    serde_json::from_str(&fs::read_to_string(place.keys()).unwrap()).unwrap()
}

/// Asserts that these keys are refused with this message.
#[track_caller]
fn assert_keys_refused(place: &Place, text: &str, message: &str) {
    write_private(place.keys(), text);
    assert_refused(&place.variables(), &format!("cannot use KEYS={:?}: {message}", place.keys()));
}

#[test]
fn the_first_start_makes_a_file_that_only_its_owner_may_read() {
    let place = Place::new();
    drop(place.start());
    let keys = keys_of(&place);
    assert_eq!(keys.as_object().unwrap().len(), 2);
    assert!(keys["signing_key"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    // 32 bytes.
    assert_eq!(keys["refresh_secret"].as_str().unwrap().len(), 43);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(place.keys()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let names = fs::read_dir(place.directory()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.filter(|name| name.to_string_lossy().contains("keys")).collect();
    assert_eq!(names, ["keys.json"]);
}

#[test]
fn later_starts_leave_the_file_as_it_is() {
    let place = Place::new();
    drop(place.start());
    let before = keys_of(&place);
    drop(place.start());
    assert_eq!(keys_of(&place), before);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_or_write_is_refused() {
    let place = Place::new();
    drop(place.start());
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o666] {
        set_mode(place.keys(), mode);
        assert_refused(&place.variables(), "run chmod 600 on it");
    }
    set_mode(place.keys(), 0o400);
    drop(place.start());
}

#[test]
fn a_file_that_is_no_such_json_is_refused_and_not_shown() {
    let place = Place::new();
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
        assert_keys_refused(&place, text, "it is not a JSON object of signing_key and refresh_sec");
        let output = run(&place.variables());
        assert!(!String::from_utf8(output.stderr).unwrap().contains("hunter2"), "{text}");
        assert_eq!(fs::read_to_string(place.keys()).unwrap(), text, "it has been overwritten");
    }
}

#[test]
fn keys_that_cannot_be_used_are_refused_and_not_shown() {
    let place = Place::new();
    drop(place.start());
    let good = keys_of(&place);
    let with = |name: &str, value: &str| {
        let mut keys = good.clone();
        keys[name] = json!(value);
        keys.to_string()
    };
    for key in ["", "hunter2", P256] {
        let message = "signing_key: this is no usable key for EdDSA: give an Ed25519 private key";
        assert_keys_refused(&place, &with("signing_key", key), message);
    }
    let secrets = [
        ("hunter2+/=", "refresh_secret: give 32 random bytes in base64url"),
        (
            "aHVudGVyMg",
            "refresh_secret: a secret for HS256 needs at least 32 bytes, this one has 7\n",
        ),
    ];
    for (secret, message) in secrets {
        assert_keys_refused(&place, &with("refresh_secret", secret), message);
    }
    write_private(place.keys(), &good.to_string());
    drop(place.start());
}

#[test]
fn a_file_that_cannot_be_read_or_made_is_a_readable_error() {
    let place = Place::new();
    let [store, _] = place.variables();
    let refused = |keys: &str, message: &str| assert_refused(&[store, ("KEYS", keys)], message);
    let inside = |name: &str| place.path(name);
    let missing = inside("nowhere/keys.json");
    refused(&missing, &format!("cannot create KEYS={missing:?}: "));
    refused(&inside(""), "it is not a regular file");
    fs::write(inside("file"), "").unwrap();
    refused(&inside("file/keys.json"), "cannot read KEYS=");
    refused("", "KEYS is empty: give the path of a file");
    // A pipe that nobody writes to must not keep it waiting.
    #[cfg(unix)]
    if std::process::Command::new("mkfifo").arg(inside("pipe")).status().is_ok() {
        refused(&inside("pipe"), "it is not a regular file");
    }
}

#[test]
fn keys_without_a_store_that_keeps_the_logouts_are_refused() {
    let place = Place::new();
    for store in [&[][..], &[("STORE", "memory")]] {
        let variables = [store, &[("KEYS", place.keys())]].concat();
        assert_refused(&variables, "KEYS is set but sessions are kept in memory: set STORE");
    }
}

#[cfg(unix)]
#[test]
fn who_keeps_sessions_but_no_keys_is_warned() {
    let place = Place::new();
    let [store, keys] = place.variables();
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
async fn processes_that_start_at_once_on_nothing_accept_one_another_s_tokens() {
    for place in Place::each(7) {
        let servers: Vec<Server> = thread::scope(|scope| {
            let starting: Vec<_> = (0..4).map(|_| scope.spawn(|| place.start())).collect();
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
