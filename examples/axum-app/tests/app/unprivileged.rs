//! What the application says where it may not read or write. Root may do everything, so where the tests are
//! run by root the application is run by nobody.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::place::Place;
use crate::server::{command_of, finish};
use crate::start::assert_says;

/// The user `nobody`.
const NOBODY: u32 = 65534;

/// Asserts that this is said by the application, run by the owner of everything in the place, which has these
/// modes while it runs.
#[track_caller]
fn assert_refused(place: &Place, modes: &[(&str, u32)], names: &[&str], message: &str) {
    let variables = place.variables().into_iter().filter(|(name, _)| names.contains(name));
    let variables: Vec<_> = variables.collect();
    let is_root = fs::metadata(place.directory()).unwrap().uid() == 0;
    let mut command = if is_root { nobodys(place, &variables) } else { ours(&variables) };
    for (name, mode) in modes {
        fs::set_permissions(place.path(name), Permissions::from_mode(*mode)).unwrap();
    }
    let output = finish(&mut command);
    // Or it could not be removed.
    fs::set_permissions(place.directory(), Permissions::from_mode(0o700)).unwrap();
    assert_says(output, message);
}

fn ours(variables: &[(&str, &str)]) -> Command {
    command_of(env!("CARGO_BIN_EXE_axum-app"), variables)
}

/// Gives everything in the place to nobody. The binary may be where only root gets at it.
fn nobodys(place: &Place, variables: &[(&str, &str)]) -> Command {
    let copy = place.path("axum-app");
    // In a process of its own: a program that another test's new child still holds open does not run.
    let copied = Command::new("cp").args([env!("CARGO_BIN_EXE_axum-app"), &copy]).status();
    assert!(copied.unwrap().success());
    for entry in fs::read_dir(place.directory()).unwrap() {
        chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    chown(place.directory(), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = command_of(&copy, variables);
    command.uid(NOBODY).gid(NOBODY);
    command
}

#[test]
fn a_directory_that_keys_cannot_be_made_in_is_a_readable_error() {
    let place = Place::new();
    let message = format!("cannot create KEYS={:?}: Permission denied", place.keys());
    assert_refused(&place, &[("", 0o500)], &["STORE", "KEYS"], &message);
}

#[test]
fn keys_that_cannot_be_read_are_a_readable_error() {
    let place = Place::new();
    drop(place.start());
    let message = format!("cannot read KEYS={:?}: Permission denied", place.keys());
    assert_refused(&place, &[("keys.json", 0o000)], &["STORE", "KEYS"], &message);
}

#[test]
fn a_directory_that_a_database_cannot_be_made_in_is_a_readable_error() {
    let place = Place::new();
    let message = "the database file cannot be opened: see that its directory is there and may be";
    assert_refused(&place, &[("", 0o500)], &["STORE"], message);
}

#[test]
fn a_database_that_cannot_be_written_to_is_a_readable_error() {
    let place = Place::new();
    assert_eq!(place.start().stop().code(), Some(0));
    let message = "the database file is read-only: see that it and its directory may be written to";
    assert_refused(&place, &[("sessions.db", 0o400), ("", 0o500)], &["STORE"], message);
}
