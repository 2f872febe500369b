use std::process::Command;

use tower_jwt_auth_tests::servers::{self, Interpreter, OidcProvider, Redis};

/// The environment variable of the process that finds no server.
const ROLE: &str = "TOWER_JWT_AUTH_TESTS_FINDS_NO_SERVERS";
const REQUIRED: &str = "TOWER_JWT_AUTH_REQUIRE_SERVERS";

#[test]
fn a_missing_server_is_reported_once_and_is_an_error_if_required() {
    if std::env::var_os(ROLE).is_some() {
        assert!(Redis::start(&[]).is_none() && servers::redis().is_none());
        assert!(OidcProvider::start(&[]).is_none() && Interpreter::node().is_none());
        assert!(Interpreter::python().is_none());
        assert!(servers::instructions("none", ("A", "b"), "f").is_none());
        return;
    }
    let name = "skipping::a_missing_server_is_reported_once_and_is_an_error_if_required";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name]).env(ROLE, "yes").env("PATH", "/nonexistent");

    let skipped = command.env_remove(REQUIRED).output().unwrap();
    assert!(skipped.status.success());
    let said = String::from_utf8(skipped.stderr).unwrap();
    let lines = "SKIPPED: no redis-server found; install the package redis-server to run the \
                 tests on Redis\n\
                 SKIPPED: no node found; the tests with oidc-provider and jose need Node.js 20 or \
                 later with npm\n\
                 SKIPPED: no python3 found; the tests with PyJWT and joserfc need Python 3 with \
                 pip\n\
                 SKIPPED: no valgrind found; install the package valgrind to run the tests on the \
                 numbers of instructions\n";
    assert_eq!(said, lines);

    let required = command.env(REQUIRED, "1").output().unwrap();
    assert!(!required.status.success());
    assert!(String::from_utf8_lossy(&required.stdout).contains("no redis-server found"));
}
