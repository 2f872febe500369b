//! The real binary, on a port of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running server; it is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    address: String,
    log: Option<JoinHandle<String>>,
}

/// The binary, which hears of no variable that happens to be set around the tests.
fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_axum-app"));
    for name in ["BIND", "ACCESS_LIFETIME", "LOGIN_MAX_AGE", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("RUST_LOG", "off").envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

impl Server {
    /// With these environment variables; at a free port of 127.0.0.1, unless they say otherwise.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = command(&[&[("BIND", "127.0.0.1:0")], variables].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").map(|url| url.trim_end().to_owned());
        let address = address.unwrap_or_else(|| panic!("the server said {line:?}"));
        // Read all along: a server whose log nobody reads stands still when the pipe is full.
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        Self { child, address, log: Some(log) }
    }

    /// `http://`, host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < patience, "the server does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has logged, once it has stopped.
    pub(crate) fn log(&mut self) -> String {
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary where it is expected not to start. One that starts all the same is killed after a while.
pub(crate) fn run(variables: &[(&str, &str)]) -> Output {
    let mut child =
        command(variables).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}
