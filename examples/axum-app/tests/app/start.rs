use std::net::{TcpListener, TcpStream};
use std::process::Output;

use crate::client::{Browser, get};
use crate::server::{Server, run};

/// Asserts that the application does not start and reports this, in one line.
#[track_caller]
pub(crate) fn assert_refused(variables: &[(&str, &str)], message: &str) {
    assert_reports(run(variables), message);
}

/// Asserts that this is the output of an application that did not start and reported this, in one line.
#[track_caller]
pub(crate) fn assert_reports(output: Output, message: &str) {
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stdout.is_empty(), "{stdout}");
    assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{stderr}");
    assert!(stderr.contains(message), "{stderr}");
}

#[test]
fn an_invalid_address_is_a_readable_error() {
    for bind in ["nonsense", "", "127.0.0.1", "127.0.0.1:99999"] {
        assert_refused(&[("BIND", bind)], &format!("cannot listen at BIND={bind:?}: "));
    }
}

#[test]
fn a_port_in_use_is_a_readable_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for host in ["127.0.0.1", "localhost"] {
        let bind = format!("{host}:{}", taken.local_addr().unwrap().port());
        assert_refused(&[("BIND", &bind)], "in use");
    }
}

#[test]
fn invalid_settings_are_readable_errors() {
    for value in ["", "abc", "0", "-1", "1.5", "99999999999"] {
        assert_refused(&[("ACCESS_LIFETIME", value)], &format!("ACCESS_LIFETIME is {value:?}, "));
        assert_refused(&[("LOGIN_MAX_AGE", value)], &format!("LOGIN_MAX_AGE is {value:?}, "));
        assert_refused(&[("MAX_STALENESS", value)], &format!("MAX_STALENESS is {value:?}, "));
        assert_refused(&[("HEARTBEAT", value)], &format!("HEARTBEAT is {value:?}, "));
    }
    for value in ["", "abc", "-1", "1.5", "99999999999"] {
        assert_refused(&[("GRACE", value)], &format!("GRACE is {value:?}, "));
        assert_refused(&[("LATE_RETRIES", value)], &format!("LATE_RETRIES is {value:?}, "));
        assert_refused(&[("HSTS_MAX_AGE", value)], &format!("HSTS_MAX_AGE is {value:?}, "));
    }
    assert_refused(&[("GRACE", "300")], "GRACE=300: the grace window is 300s: use less");
    assert_refused(&[("ACCESS_LIFETIME", "999999")], "the lifetime of access tokens is 999999s");
    assert_refused(&[("HEARTBEAT", "9")], "cannot use HEARTBEAT: the heartbeat interval is 9ms: ");
    assert_refused(
        &[("HEARTBEAT", "2000"), ("MAX_STALENESS", "2")],
        "less than MAX_STALENESS, 2 s",
    );
    assert_refused(&[("RUST_LOG", "a=b=c")], "RUST_LOG cannot be read");
}

#[tokio::test]
async fn the_printed_address_has_the_host_name_of_bind() {
    let server = Server::start(&[("BIND", "localhost:0")]);
    assert!(server.address().starts_with("http://localhost:"), "{}", server.address());
    assert!(!server.address().ends_with(":0"));
    assert_eq!(get(&server, "/").await.status, 200);
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_is_asked_to_stop_exits_with_0() {
    let mut server = Server::start(&[]);
    Browser::sign_in(&server, "alice").await;
    assert_eq!(server.stop().code(), Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn a_silent_client_does_not_keep_the_server_from_stopping() {
    let mut server = Server::start(&[]);
    let address = server.address().strip_prefix("http://").unwrap().to_owned();
    let mut silent = TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut silent, b"POST /auth/login HTTP/1.1\r\n").unwrap();
    get(&server, "/").await;
    assert_eq!(server.stop().code(), Some(0));
}
