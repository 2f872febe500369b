use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_jwt_auth::Sessions;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth_sqlx::SqliteStore;
use tower_jwt_auth_tests::Profile;

use crate::client::Client;
use crate::event::{CookieJar, Event, EventKind, HeldToken};
use crate::history::{SharedHistory, lock};
use crate::node::node;
use crate::server_crashes::TIMEOUT;

/// The environment variable of the processes that are going to be killed.
const ROLE: &str = "TOWER_JWT_AUTH_TESTS_IS_TO_BE_KILLED";
/// The prefix of an event. The test harness prints other lines.
const MARK: &str = "EVENT ";

/// The input of a worker: the file, its clients with their cookies, and the grace window.
#[derive(Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) path: PathBuf,
    pub(crate) jars: Vec<(usize, CookieJar)>,
    pub(crate) grace: Duration,
}

/// A copy of this test's process that opens the file and runs clients.
pub(crate) struct Worker {
    child: Child,
    /// The worker ends when this pipe closes.
    _orders: ChildStdin,
    reader: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a worker, which runs the test of this name in another role, and records its events.
    pub(crate) fn start(name: &str, work: &Work, history: &SharedHistory) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name, "--nocapture"]).env(ROLE, "yes");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut orders = child.stdin.take().unwrap();
        writeln!(orders, "{}", serde_json::to_string(work).unwrap()).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let history = Arc::clone(history);
        let reader = thread::spawn(move || {
            let mut line = String::new();
            // An incomplete line does not count.
            while lines.read_line(&mut line).is_ok() && line.ends_with('\n') {
                if let Some((_, event)) = line.split_once(MARK) {
                    lock(&history).record(serde_json::from_str(event).unwrap());
                }
                line.clear();
            }
        });
        Self { child, _orders: orders, reader: Some(reader) }
    }

    /// Kills the worker (`kill -9`). All its events are recorded when this returns.
    pub(crate) fn kill(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "the process ended before it was killed: {ended:?}");
        self.end();
        self.reader.take().unwrap().join().unwrap();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// Returns whether this process is a worker.
pub(crate) fn is_worker() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Runs the clients until this process is killed.
pub(crate) async fn run() {
    let (sessions, jars) = begin().await;
    let gate = Arc::new(RwLock::new(true));
    let mut clients = JoinSet::new();
    for (client_index, jar) in jars {
        let client = Client::new(
            client_index,
            jar,
            vec![sessions.clone()],
            Arc::new(|event| print_event(&event)),
        );
        clients.spawn(client.run(Arc::clone(&gate)));
    }
    let ended = timeout(2 * TIMEOUT, clients.join_next()).await;
    panic!("this process was not killed: {ended:?}");
}

/// Refreshes once, and waits to be killed.
pub(crate) async fn run_once() {
    let (sessions, jars) = begin().await;
    for (client_index, jar) in jars {
        let before = jar.held.unwrap();
        let tokens = sessions.refresh(&before.token).await.unwrap();
        let (held, access) = (HeldToken::of(&tokens), tokens.access().as_str().to_owned());
        let from = before.generation;
        print_event(&Event {
            client_index,
            kind: EventKind::Refreshed { from, held, access, arrived: false },
        });
    }
    sleep(2 * TIMEOUT).await;
    panic!("this process was not killed");
}

async fn begin() -> (Sessions<Profile>, Vec<(usize, CookieJar)>) {
    let mut orders = BufReader::new(std::io::stdin());
    let mut line = String::new();
    orders.read_line(&mut line).unwrap();
    let Work { path, jars, grace } = serde_json::from_str(&line).unwrap();
    thread::spawn(move || {
        // The parent process has ended and can no longer kill this one.
        let _ = orders.read_line(&mut String::new());
        std::process::exit(1);
    });
    let store: Arc<dyn SessionStore> = Arc::new(SqliteStore::open(path).await.unwrap());
    (node(store, grace), jars)
}

/// Prints an event in one write and flushes it, because the client continues from this event after a crash.
fn print_event(event: &Event) {
    let line = format!("{MARK}{}\n", serde_json::to_string(&event).unwrap());
    let mut output = std::io::stdout().lock();
    output.write_all(line.as_bytes()).unwrap();
    output.flush().unwrap();
}
