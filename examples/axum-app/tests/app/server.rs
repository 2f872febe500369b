//! The real binary, on a port of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The max time that a step takes on a slow machine.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(30);

/// The variables of the application.
const VARIABLES: [&str; 11] = [
    "BIND",
    "STORE",
    "KEYS",
    "ACCESS_LIFETIME",
    "GRACE",
    "LATE_RETRIES",
    "LOGIN_MAX_AGE",
    "MAX_STALENESS",
    "HEARTBEAT",
    "HSTS_MAX_AGE",
    "RUST_LOG",
];

/// A running server, which is killed on drop.
pub(crate) struct Server {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// Returns the command of the binary, as [`command_of`] does.
pub(crate) fn command(variables: &[(&str, &str)]) -> Command {
    command_of(env!("CARGO_BIN_EXE_axum-app"), variables)
}

/// Returns the command of this program with these variables, and without those that are set around the tests. It
/// listens at a free port of 127.0.0.1, unless they set another.
pub(crate) fn command_of(binary: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary);
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.envs([("BIND", "127.0.0.1:0"), ("RUST_LOG", "off")]);
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

impl Server {
    /// Starts the binary with these environment variables, at a free port of 127.0.0.1 unless they set another.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_command(command(variables))
    }

    /// Starts this command, which becomes the application.
    pub(crate) fn start_command(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = stdout.read_line(&mut line).map(|_| sender.send(line));
        });
        // Read all the time: a server whose log is not read blocks when the pipe is full.
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).unwrap() > 0 {
                sink.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        let mut server = Self { child, address: String::new(), log, reader: Some(reader) };
        let line = receiver.recv_timeout(MAX_WAIT).unwrap_or_default();
        let Some(address) = line.strip_prefix("listening on ") else {
            server.kill();
            panic!("the server printed {line:?} and logged {:?}", server.log());
        };
        server.address = address.trim_end().to_owned();
        server
    }

    /// Returns `http://` with the host and the port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM and waits for the process to end.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it without a warning, as a power cut does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Returns its log. Call it once it has stopped.
    pub(crate) fn log(&mut self) -> String {
        self.reader.take().unwrap().join().unwrap();
        self.log_so_far()
    }

    /// Returns the log of the running server, up to its last complete line.
    pub(crate) fn log_so_far(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary with variables with which it does not start. If it starts, it is killed after a while.
pub(crate) fn run(variables: &[(&str, &str)]) -> Output {
    finish(&mut command(variables))
}

/// Runs this command, which ends soon.
pub(crate) fn finish(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + MAX_WAIT;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}
