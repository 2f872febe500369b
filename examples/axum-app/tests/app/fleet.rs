//! Three processes on one store: how soon the others reject a token that was logged out on one, and the responses of
//! all while the store is unavailable.

use std::io::Write as _;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use tower_jwt_auth_tests::servers::{Postgres, Proxy, Redis};

use crate::client::{Browser, get};
use crate::server::{MAX_WAIT, Server};
use crate::workspace::Workspace;

/// The max age of the list in these tests, in seconds.
const MAX_STALENESS: (&str, &str) = ("MAX_STALENESS", "2");
const STALE: Duration = Duration::from_secs(2);
const HEARTBEAT: (&str, &str) = ("HEARTBEAT", "200");

struct Fleet {
    nodes: Vec<Server>,
}

impl Fleet {
    async fn start(workspace: &Workspace) -> Self {
        let [store, keys] = workspace.variables();
        let start = |_| Server::start(&[store, keys, MAX_STALENESS, HEARTBEAT]);
        let fleet = Self { nodes: (0..3).map(start).collect() };
        fleet.be_ready().await;
        fleet
    }

    /// Waits until each node has a fresh list of revocations.
    async fn be_ready(&self) {
        for node in &self.nodes {
            until("the node is ready", async || get(node, "/readyz").await.status == 200).await;
        }
    }

    /// Returns the same client for each node.
    fn everywhere(&self, browser: &Browser) -> Vec<Browser> {
        self.nodes.iter().map(|node| browser.at(node)).collect()
    }

    /// Returns the memory that the nodes use, in MiB.
    fn memory(&self) -> u64 {
        let resident = |node: &Server| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?.to_owned();
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        self.nodes.iter().filter_map(resident).sum::<u64>() / 1024
    }
}

async fn until(condition: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + MAX_WAIT;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {MAX_WAIT:?}: {condition}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn access(browser: &Browser) -> StatusCode {
    browser.call(Method::GET, "/api/me").await.status
}

/// Prints a line, which `println!` would not: the test harness captures it if the test passes.
fn print(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[tokio::test]
async fn a_logout_on_one_of_three_processes_is_seen_on_the_others() {
    for workspace in &Workspace::each(5) {
        let engine = workspace.engine();
        let fleet = Fleet::start(workspace).await;
        let mut delays = Vec::new();
        for round in 0..40 {
            let at = round % fleet.nodes.len();
            let alice = Browser::sign_in(&fleet.nodes[at], "alice").await;
            let everywhere = fleet.everywhere(&alice);
            for there in &everywhere {
                assert_eq!(access(there).await, StatusCode::OK);
            }
            assert_eq!(everywhere[at].post("/auth/logout").await.status, StatusCode::NO_CONTENT);
            let ended = Instant::now();
            assert_eq!(
                access(&everywhere[at]).await,
                StatusCode::UNAUTHORIZED,
                "on this node, at once"
            );
            let (one, other) = (&everywhere[(at + 1) % 3], &everywhere[(at + 2) % 3]);
            let seen = async |there: &Browser| {
                until("the other node rejects the token", async || access(there).await == 401)
                    .await;
                ended.elapsed()
            };
            let (first, second) = tokio::join!(seen(one), seen(other));
            delays.extend([first, second]);
        }
        delays.sort();
        let at = |percent: usize| delays[(delays.len() - 1) * percent / 100];
        print(&format!(
            "{engine}: a logout is seen on the other processes after p50 {:?}, p99 {:?}, at most {:?}",
            at(50),
            at(99),
            at(100)
        ));
        assert!(at(100) < Duration::from_secs(5), "{:?}", at(100));
    }
}

/// Checks the fleet before, during and after an outage of its store, which `lose` begins and `regain` ends.
async fn survives(workspace: &Workspace, lose: impl FnOnce(), regain: impl FnOnce()) {
    let fleet = Fleet::start(workspace).await;
    let alice = Browser::sign_in(&fleet.nodes[0], "alice").await;
    let leaving = Browser::sign_in(&fleet.nodes[0], "admin").await;
    let mut ended = Vec::new();
    for node in &fleet.nodes {
        for _ in 0..2 {
            let bob = Browser::sign_in(node, "bob").await;
            assert_eq!(bob.post("/auth/logout").await.status, StatusCode::NO_CONTENT);
            ended.extend(fleet.everywhere(&bob));
        }
    }
    for bob in &ended {
        until("the logout is known", async || access(bob).await == 401).await;
    }
    let before = fleet.memory();

    lose();
    let lost = Instant::now();
    for there in &fleet.everywhere(&alice) {
        until("the node no longer accepts tokens by its list", async || {
            match access(there).await {
                StatusCode::OK => {
                    // A heartbeat that was under way at the start of the outage counts from the time it was written.
                    assert!(lost.elapsed() < STALE + Duration::from_secs(10), "it still does");
                    false
                }
                status => {
                    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "nobody is signed out");
                    true
                }
            }
        })
        .await;
        get_ready(there, &fleet, StatusCode::SERVICE_UNAVAILABLE).await;
    }
    // From now on no token is accepted, and no response asks for a new sign-in.
    for round in 0..2 {
        for there in fleet.everywhere(&alice) {
            let response = there.call(Method::GET, "/api/me").await;
            response.assert_error(503, "temporarily_unavailable");
            if round == 0 {
                let refresh = there.post("/auth/refresh").await;
                refresh.assert_error(503, "temporarily_unavailable");
                assert!(refresh.cookie().is_none(), "the cookie stays");
            }
        }
        // A store that was paused may execute it later: the error leaves that open.
        leaving.post("/auth/logout").await.assert_error(503, "temporarily_unavailable");
        for bob in &ended {
            assert_eq!(access(bob).await, StatusCode::UNAUTHORIZED, "known revocations stay known");
        }
    }
    // Many requests at a time are refused, and their memory is freed.
    for _ in 0..2 {
        let mut requests = Vec::new();
        for _ in 0..50 {
            for there in fleet.everywhere(&alice) {
                requests.push(tokio::spawn(async move { access(&there).await }));
            }
        }
        for request in requests {
            assert_eq!(request.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    regain();
    fleet.be_ready().await;
    for there in &fleet.everywhere(&alice) {
        assert_eq!(access(there).await, StatusCode::OK);
    }
    for bob in &ended {
        assert_eq!(access(bob).await, StatusCode::UNAUTHORIZED, "no entry is lost");
        bob.post("/auth/refresh").await.assert_error(401, "invalid_token");
    }
    let refreshed = alice.post("/auth/refresh").await;
    assert_eq!(refreshed.status, StatusCode::OK, "{refreshed:?}");
    let after = fleet.memory();
    assert!(after < before + 60, "the memory of three nodes grew from {before} to {after} MiB");
}

async fn get_ready(there: &Browser, fleet: &Fleet, status: StatusCode) {
    let node = fleet.nodes.iter().find(|node| there.is_at(node)).unwrap();
    assert_eq!(get(node, "/readyz").await.status, status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_accepted_while_a_crashed_postgresql_server_is_away() {
    let Some(server) = Postgres::start() else { return };
    let workspace = Workspace::on(&server.new_database());
    let server = std::sync::Mutex::new(server);
    let (lose, regain) =
        (|| server.lock().unwrap().kill(), || server.lock().unwrap().start_again());
    survives(&workspace, lose, regain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_accepted_while_a_postgresql_server_is_paused() {
    let Some(server) = Postgres::start() else { return };
    let workspace = Workspace::on(&server.new_database());
    let server = std::sync::Mutex::new(server);
    let (lose, regain) = (|| server.lock().unwrap().pause(), || server.lock().unwrap().resume());
    survives(&workspace, lose, regain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_accepted_while_a_postgresql_server_is_cut_off() {
    let Some(server) = Postgres::start() else { return };
    let proxy = Proxy::start(server.address());
    let (there, here) = (server.address().to_string(), proxy.address().to_string());
    let workspace = Workspace::on(&server.new_database().replace(&there, &here));
    survives(&workspace, || proxy.cut(), || proxy.mend()).await;
}

/// A write is on disk before it is acknowledged.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_accepted_while_a_crashed_redis_server_is_away() {
    let Some(server) = Redis::start(&DURABLE) else { return };
    let workspace = Workspace::on(&server.url());
    let server = std::sync::Mutex::new(server);
    let (lose, regain) =
        (|| server.lock().unwrap().kill(), || server.lock().unwrap().start_again());
    survives(&workspace, lose, regain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_accepted_while_a_redis_server_is_paused() {
    let Some(server) = Redis::start(&DURABLE) else { return };
    let workspace = Workspace::on(&server.url());
    let server = std::sync::Mutex::new(server);
    let (lose, regain) = (|| server.lock().unwrap().pause(), || server.lock().unwrap().resume());
    survives(&workspace, lose, regain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_accepted_while_a_redis_server_is_cut_off() {
    let Some(server) = Redis::start(&DURABLE) else { return };
    let proxy = Proxy::start(server.address());
    let workspace = Workspace::on(&format!("redis://{}/", proxy.address()));
    survives(&workspace, || proxy.cut(), || proxy.mend()).await;
}
