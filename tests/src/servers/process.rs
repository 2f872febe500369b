use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
#[cfg(unix)]
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The interval between checks.
const STEP: Duration = Duration::from_millis(20);
/// The time within which a server must answer first. Machines that run tests may be slow and shared.
const START: Duration = Duration::from_secs(60);
/// The time within which a client or the watchdog must carry out one order.
const ORDER: Duration = Duration::from_secs(60);

/// A user and a group to run as.
pub(super) type User = (u32, u32);

/// A server process. A watchdog, `watchdog.sh`, ends it with the test process.
pub(super) struct Process {
    watchdog: Child,
    /// When this pipe closes, the watchdog cleans up.
    orders: Option<ChildStdin>,
    answers: Mutex<mpsc::Receiver<String>>,
    directory: PathBuf,
    pid: u32,
}

impl Process {
    /// Starts the watchdog, but not the server. The watchdog removes the directory at the end.
    pub(super) fn new(
        directory: &Path,
        user: Option<User>,
        program: &Path,
        arguments: &[impl AsRef<OsStr>],
    ) -> Self {
        let script = directory.join("watchdog.sh");
        std::fs::write(&script, include_str!("watchdog.sh")).expect("the script should be written");
        let mut command = command(Path::new("sh"), user);
        command.arg(script).arg(directory).arg(program).args(arguments);
        // Ctrl-C and test runners kill the group of the test process. The watchdog must outlive it.
        #[cfg(unix)]
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut watchdog = command.spawn().expect("sh should start the watchdog");
        let orders = watchdog.stdin.take();
        let answers = BufReader::new(watchdog.stdout.take().expect("standard output is piped"));
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            answers.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let answers = Mutex::new(receiver);
        Self { watchdog, orders, answers, directory: directory.to_owned(), pid: 0 }
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// Returns the end of the server's log if the server ends or does not answer in time.
    pub(super) fn start(&mut self, ready: impl Fn(u32) -> bool) -> Result<(), String> {
        self.pid =
            self.order("start").parse().expect("the watchdog should answer with a process id");
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if ready(self.pid) {
                return Ok(());
            }
            if self.order("alive") != "yes" {
                return Err(format!("the server ended: {}", self.log()));
            }
            thread::sleep(STEP);
        }
        self.kill();
        Err(format!("the server did not answer within {START:?}: {}", self.log()))
    }

    /// Starts the server, and retries while remains of the previous process prevent it.
    pub(super) fn start_again(&mut self, ready: impl Fn(u32) -> bool) {
        let deadline = Instant::now() + START;
        while let Err(error) = self.start(&ready) {
            assert!(Instant::now() < deadline, "{error}");
            thread::sleep(10 * STEP);
        }
    }

    /// Ends the server by this signal.
    pub(super) fn stop(&mut self, signal: &str) {
        let answer = self.order(&format!("stop {signal}"));
        assert_eq!(answer, "done", "{}", self.log());
    }

    /// Sends SIGKILL to the server and all its descendants.
    pub(super) fn kill(&mut self) {
        self.order("kill");
    }

    /// Sends SIGSTOP to the server and all its descendants.
    pub(super) fn pause(&mut self) {
        self.order("pause");
    }

    /// Sends SIGCONT to the server and all its descendants.
    pub(super) fn resume(&mut self) {
        self.order("resume");
    }

    /// Returns the process id of the server, or the last one if it does not run.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    fn order(&mut self, order: &str) -> String {
        let orders = self.orders.as_mut().expect("the pipe is open until the drop");
        orders
            .write_all(format!("{order}\n").as_bytes())
            .expect("the watchdog should accept orders");
        let answers = self.answers.get_mut().unwrap_or_else(PoisonError::into_inner);
        answers.recv_timeout(ORDER).expect("the watchdog should answer")
    }

    /// Returns the last lines of the server's log.
    fn log(&self) -> String {
        let log = std::fs::read(self.directory.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.orders = None;
        if !ends(&mut self.watchdog, ORDER) {
            let _ = self.watchdog.kill();
            let _ = self.watchdog.wait();
        }
    }
}

/// Starts a server. Retries if another process has taken the chosen port before the start.
#[track_caller]
pub(super) fn attempts<T>(start: impl Fn() -> Result<T, String>) -> T {
    let mut attempts = 0;
    loop {
        match start() {
            Ok(server) => return server,
            Err(error) => assert!(attempts < 3 && error.contains("already in use"), "{error}"),
        }
        attempts += 1;
    }
}

/// Creates a command, with this user if one is given, in a directory that every user may enter.
pub(super) fn command(program: &Path, user: Option<User>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    #[cfg(unix)]
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    #[cfg(not(unix))]
    assert_eq!(user, None, "users are supported on Unix only");
    command
}

/// Runs a command that must succeed, and returns its standard output.
///
/// # Panics
/// If the command fails, with all its output, or does not end.
#[track_caller]
pub(super) fn run(command: &mut Command) -> String {
    try_run(command, ORDER).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a command within a time, and returns its standard output.
///
/// # Errors
/// Returns all output of a command that fails. A command that does not end is killed.
pub(super) fn try_run(command: &mut Command, within: Duration) -> Result<String, String> {
    let name = command.get_program().display().to_string();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        command.spawn().map_err(|error| format!("{name} could not be started: {error}"))?;
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    if !ends(&mut child, within) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("{name} did not end within {within:?}"));
    }
    let status = child.wait().expect("the process has ended");
    let [stdout, stderr] = [stdout, stderr].map(|pipe| {
        let bytes = pipe.join().expect("the reading thread should not panic");
        String::from_utf8_lossy(&bytes).into_owned()
    });
    if status.success() {
        Ok(stdout.trim_end().to_owned())
    } else {
        Err(format!("{name} failed: {stdout}{stderr}"))
    }
}

/// Reads on a thread, so that a full pipe does not block the writer.
fn read(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn ends(child: &mut Child, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(STEP);
    }
    true
}

/// Returns a free port on 127.0.0.1.
///
/// The port is outside of the range from which the system chooses. An outgoing connection could otherwise take it while
/// the server is down, even a connection of a client that tries to reach this server.
pub(super) fn free_port() -> u16 {
    let ports = 20_000..32_000;
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let random = || RandomState::new().build_hasher().finish() % ports.len() as u64;
    let port = |_| ports.start + u16::try_from(random()).expect("a port should fit into 16 bits");
    (0..1000).map(port).find(is_free).expect("a port should be free")
}

/// Returns the executable of this name in PATH.
///
/// Returns `None` on systems other than Unix, because the watchdog is a shell script.
pub(super) fn in_path(name: &str) -> Option<PathBuf> {
    if cfg!(not(unix)) {
        return None;
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// Creates a directory for a server. Its watchdog removes the directory.
pub(super) fn directory() -> PathBuf {
    let directory = tempfile::Builder::new().prefix("tower-jwt-auth-").tempdir();
    directory.expect("a directory should be created").keep()
}
