//! The files of `STORE` and `KEYS`, which other users of the machine must not read.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::client::Browser;
use crate::server::{Server, command_of};
use crate::workspace::Workspace;

#[tokio::test]
async fn new_files_are_for_their_owner_alone_whatever_the_umask_is() {
    let workspace = Workspace::new();
    let mut command = command_of("sh", &workspace.variables());
    command.args(["-c", "umask 000; exec \"$0\"", env!("CARGO_BIN_EXE_axum-app")]);
    let server = Server::start_command(command);
    Browser::sign_in(&server, "alice").await;
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace.directory()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        names.push(name);
    }
    names.sort();
    assert_eq!(names, ["keys.json", "sessions.db", "sessions.db-shm", "sessions.db-wal"]);
}

#[test]
fn a_database_that_others_may_read_is_a_warning_in_the_log() {
    let workspace = Workspace::new();
    assert_eq!(workspace.start().stop().code(), Some(0));
    let [store, keys] = workspace.variables();
    let warnings = |mode| {
        fs::set_permissions(workspace.path("sessions.db"), Permissions::from_mode(mode)).unwrap();
        let mut server = Server::start(&[store, keys, ("RUST_LOG", "warn")]);
        server.stop();
        let log = server.log();
        log.lines().filter(|line| line.contains("run chmod 600")).map(str::to_owned).collect()
    };
    let open: Vec<String> = warnings(0o644);
    assert!(open[0].contains("WARN") && open[0].contains("sessions.db\""), "{open:?}");
    // That server was stopped with its journal in place, which has the mode of then.
    let journal: Vec<String> = warnings(0o600);
    assert!(journal.iter().all(|line| !line.contains("sessions.db\"")), "{journal:?}");
    assert!(journal.iter().any(|line| line.contains("sessions.db-wal\"")), "{journal:?}");
}
