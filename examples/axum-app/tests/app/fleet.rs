//! Three processes on one store: what one has logged out the others refuse, and how soon; and what all do while
//! the store cannot be reached.

use std::io::Write as _;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use tower_jwt_auth_tests::servers::{Postgres, Proxy, Redis};

use crate::client::{Browser, get};
use crate::place::Place;
use crate::server::{MAX_WAIT, Server};

/// How old the list may be in these tests, in seconds.
const MAX_STALENESS: (&str, &str) = ("MAX_STALENESS", "2");
const STALE: Duration = Duration::from_secs(2);
const HEARTBEAT: (&str, &str) = ("HEARTBEAT", "200");

struct Fleet {
    nodes: Vec<Server>,
}

impl Fleet {
    async fn start(place: &Place) -> Self {
        let [store, keys] = place.variables();
        let start = |_| Server::start(&[store, keys, MAX_STALENESS, HEARTBEAT]);
        let fleet = Self { nodes: (0..3).map(start).collect() };
        fleet.be_ready().await;
        fleet
    }

    /// Waits until each node goes by what it has read of the log.
    async fn be_ready(&self) {
        for node in &self.nodes {
            until("the node is ready", async || get(node, "/readyz").await.status == 200).await;
        }
    }

    /// The same browser in front of each node.
    fn everywhere(&self, browser: &Browser) -> Vec<Browser> {
        self.nodes.iter().map(|node| browser.at(node)).collect()
    }

    /// The memory that the nodes use, in MiB.
    fn memory(&self) -> u64 {
        let resident = |node: &Server| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?.to_owned();
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        self.nodes.iter().filter_map(resident).sum::<u64>() / 1024
    }
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + MAX_WAIT;
    while !is_so().await {
        assert!(Instant::now() < deadline, "it never comes to this: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn access(browser: &Browser) -> StatusCode {
    browser.call(Method::GET, "/api/me").await.status
}

/// Not `println!`, which the test harness keeps to itself when the test passes.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[tokio::test]
async fn a_logout_on_one_of_three_processes_is_seen_on_the_others() {
    for place in &Place::each(5) {
        let engine = place.engine();
        let fleet = Fleet::start(place).await;
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
            assert_eq!(access(&everywhere[at]).await, StatusCode::UNAUTHORIZED, "at once here");
            let (one, other) = (&everywhere[(at + 1) % 3], &everywhere[(at + 2) % 3]);
            let seen = async |there: &Browser| {
                until("the other node refuses", async || access(there).await == 401).await;
                ended.elapsed()
            };
            let (first, second) = tokio::join!(seen(one), seen(other));
            delays.extend([first, second]);
        }
        delays.sort();
        let at = |percent: usize| delays[(delays.len() - 1) * percent / 100];
        say(&format!(
            "{engine}: a logout is seen on the other processes after p50 {:?}, p99 {:?}, at most {:?}",
            at(50),
            at(99),
            at(100)
        ));
        assert!(at(100) < Duration::from_secs(5), "{:?}", at(100));
    }
}

/// What is seen of the fleet before, during and after an outage of its store. `lose` takes the store away and
/// `regain` brings it back.
async fn survives(place: &Place, lose: impl FnOnce(), regain: impl FnOnce()) {
    let fleet = Fleet::start(place).await;
    let alice = Browser::sign_in(&fleet.nodes[0], "alice").await;
    let leaving = Browser::sign_in(&fleet.nodes[0], "admin").await;
    let mut over = Vec::new();
    for node in &fleet.nodes {
        for _ in 0..2 {
            let bob = Browser::sign_in(node, "bob").await;
            assert_eq!(bob.post("/auth/logout").await.status, StatusCode::NO_CONTENT);
            over.extend(fleet.everywhere(&bob));
        }
    }
    for bob in &over {
        until("the logout is known", async || access(bob).await == 401).await;
    }
    let before = fleet.memory();

    lose();
    let lost = Instant::now();
    for there in &fleet.everywhere(&alice) {
        until("the node no longer believes its list", async || match access(there).await {
            StatusCode::OK => {
                // A heartbeat that was under way when the store went counts from when it was written.
                assert!(
                    lost.elapsed() < STALE + Duration::from_secs(10),
                    "it believes it for ever"
                );
                false
            }
            status => {
                assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "nobody is signed out by it");
                true
            }
        })
        .await;
        get_ready(there, &fleet, StatusCode::SERVICE_UNAVAILABLE).await;
    }
    // From now on nothing is accepted, and nobody is told to sign in again.
    for round in 0..2 {
        for there in fleet.everywhere(&alice) {
            let answer = there.call(Method::GET, "/api/me").await;
            answer.assert_error(503, "temporarily_unavailable");
            if round == 0 {
                let refresh = there.post("/auth/refresh").await;
                refresh.assert_error(503, "temporarily_unavailable");
                assert!(refresh.cookie().is_none(), "the cookie is left alone");
            }
        }
        // A store that stood still may do it afterwards: an error says that nobody knows.
        leaving.post("/auth/logout").await.assert_error(503, "temporarily_unavailable");
        for bob in &over {
            assert_eq!(access(bob).await, StatusCode::UNAUTHORIZED, "what is known stays known");
        }
    }
    // A crowd that asks all the while is turned away, and leaves nothing behind.
    for _ in 0..2 {
        let mut crowd = Vec::new();
        for _ in 0..50 {
            for there in fleet.everywhere(&alice) {
                crowd.push(tokio::spawn(async move { access(&there).await }));
            }
        }
        for one in crowd {
            assert_eq!(one.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    regain();
    fleet.be_ready().await;
    for there in &fleet.everywhere(&alice) {
        assert_eq!(access(there).await, StatusCode::OK);
    }
    for bob in &over {
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
async fn a_postgresql_server_that_crashes_is_waited_for_and_nothing_is_accepted_meanwhile() {
    let Some(server) = Postgres::start() else { return };
    let place = Place::on(&server.new_database());
    let server = std::sync::Mutex::new(server);
    let (lose, regain) =
        (|| server.lock().unwrap().kill(), || server.lock().unwrap().start_again());
    survives(&place, lose, regain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_server_that_stands_still_is_waited_for_too() {
    let Some(server) = Postgres::start() else { return };
    let place = Place::on(&server.new_database());
    let server = std::sync::Mutex::new(server);
    let (lose, regain) = (|| server.lock().unwrap().pause(), || server.lock().unwrap().resume());
    survives(&place, lose, regain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_server_that_is_cut_off_is_waited_for_too() {
    let Some(server) = Postgres::start() else { return };
    let proxy = Proxy::start(server.address());
    let (there, here) = (server.address().to_string(), proxy.address().to_string());
    let place = Place::on(&server.new_database().replace(&there, &here));
    survives(&place, || proxy.cut(), || proxy.mend()).await;
}

/// What is acknowledged is on disk.
const SAFE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_server_that_crashes_is_waited_for_and_nothing_is_accepted_meanwhile() {
    let Some(server) = Redis::start(&SAFE) else { return };
    let place = Place::on(&server.url());
    let server = std::sync::Mutex::new(server);
    let (lose, regain) =
        (|| server.lock().unwrap().kill(), || server.lock().unwrap().start_again());
    survives(&place, lose, regain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_server_that_stands_still_is_waited_for_too() {
    let Some(server) = Redis::start(&SAFE) else { return };
    let place = Place::on(&server.url());
    let server = std::sync::Mutex::new(server);
    let (lose, regain) = (|| server.lock().unwrap().pause(), || server.lock().unwrap().resume());
    survives(&place, lose, regain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_server_that_is_cut_off_is_waited_for_too() {
    let Some(server) = Redis::start(&SAFE) else { return };
    let proxy = Proxy::start(server.address());
    let place = Place::on(&format!("redis://{}/", proxy.address()));
    survives(&place, || proxy.cut(), || proxy.mend()).await;
}
