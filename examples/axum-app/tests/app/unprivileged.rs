//! The errors for files that the application may not read or write. File modes do not bind root, so if root runs the
//! tests, the user nobody runs the application.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::server::{command_of, finish};
use crate::start::assert_reports;
use crate::workspace::Workspace;

/// The user `nobody`.
const NOBODY: u32 = 65534;

/// Asserts that the application reports this, run by the owner of all files in the workspace, which have these modes
/// while it runs.
#[track_caller]
fn assert_refused(workspace: &Workspace, modes: &[(&str, u32)], names: &[&str], message: &str) {
    let variables = workspace.variables().into_iter().filter(|(name, _)| names.contains(name));
    let variables: Vec<_> = variables.collect();
    let is_root = fs::metadata(workspace.directory()).unwrap().uid() == 0;
    let mut command =
        if is_root { as_nobody(workspace, &variables) } else { as_ourselves(&variables) };
    for (name, mode) in modes {
        fs::set_permissions(workspace.path(name), Permissions::from_mode(*mode)).unwrap();
    }
    let output = finish(&mut command);
    // Otherwise it could not be removed.
    fs::set_permissions(workspace.directory(), Permissions::from_mode(0o700)).unwrap();
    assert_reports(output, message);
}

fn as_ourselves(variables: &[(&str, &str)]) -> Command {
    command_of(env!("CARGO_BIN_EXE_axum-app"), variables)
}

/// Makes nobody the owner of all files in the workspace, where it copies the binary: only root may have access to the
/// original.
fn as_nobody(workspace: &Workspace, variables: &[(&str, &str)]) -> Command {
    let copy = workspace.path("axum-app");
    // In a process of its own: a program that a new child of another test still has open does not run.
    let copied = Command::new("cp").args([env!("CARGO_BIN_EXE_axum-app"), &copy]).status();
    assert!(copied.unwrap().success());
    for entry in fs::read_dir(workspace.directory()).unwrap() {
        chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    chown(workspace.directory(), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = command_of(&copy, variables);
    command.uid(NOBODY).gid(NOBODY);
    command
}

#[test]
fn a_read_only_directory_of_the_keys_is_a_readable_error() {
    let workspace = Workspace::new();
    let message = format!("cannot create KEYS={:?}: Permission denied", workspace.keys());
    assert_refused(&workspace, &[("", 0o500)], &["STORE", "KEYS"], &message);
}

#[test]
fn unreadable_keys_are_a_readable_error() {
    let workspace = Workspace::new();
    drop(workspace.start());
    let message = format!("cannot read KEYS={:?}: Permission denied", workspace.keys());
    assert_refused(&workspace, &[("keys.json", 0o000)], &["STORE", "KEYS"], &message);
}

#[test]
fn a_read_only_directory_of_the_database_is_a_readable_error() {
    let workspace = Workspace::new();
    let message = "the database file cannot be opened: check that its directory exists and can be";
    assert_refused(&workspace, &[("", 0o500)], &["STORE"], message);
}

#[test]
fn a_read_only_database_is_a_readable_error() {
    let workspace = Workspace::new();
    assert_eq!(workspace.start().stop().code(), Some(0));
    let message =
        "the database file is read-only: check that it and its directory can be written to";
    assert_refused(&workspace, &[("sessions.db", 0o400), ("", 0o500)], &["STORE"], message);
}
