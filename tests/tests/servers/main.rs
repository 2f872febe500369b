//! Tests of the servers and the proxy that other tests use.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

mod chromium;
mod cleanup;
mod oidc_provider;
mod postgres;
mod proxy;
mod redis;
mod skipping;

/// The time within which an expected event must happen.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The time for which an unexpected event must not happen.
const SILENCE: Duration = Duration::from_millis(300);

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

fn sh(command: &str) -> bool {
    Command::new("sh").args(["-c", command]).stderr(Stdio::null()).status().unwrap().success()
}

/// Returns whether the process runs. A zombie does not run.
fn is_alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    sh(&format!("kill -0 {pid}")) && !status.contains("State:\tZ")
}

/// Sends a request and reads as many bytes as expected.
fn exchange(stream: &mut TcpStream, sent: &[u8], expected: &[u8]) {
    stream.write_all(sent).unwrap();
    expect(stream, expected);
}

fn expect(stream: &mut TcpStream, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    stream.read_exact(&mut received).unwrap();
    assert_eq!(String::from_utf8_lossy(&received), String::from_utf8_lossy(expected));
}

#[track_caller]
fn assert_silent(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let error = stream.read(&mut [0]).expect_err("nothing should arrive");
    let timeouts = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
    assert!(timeouts.contains(&error.kind()), "{error}");
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
}
