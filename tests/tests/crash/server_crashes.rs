//! A server that is killed repeatedly while the nodes of an application keep running.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::RwLock;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::sleep;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth_tests::servers::{Postgres, Redis};

use crate::audit::audit;
use crate::client::Client;
use crate::event::CookieJar;
use crate::final_checks::final_checks;
use crate::history::{History, SharedHistory, lock, record_to};
use crate::node::{GRACE, node};
use crate::rng::Rng;

/// The number of concurrent clients.
pub(crate) const CLIENTS: usize = 24;
/// The number of rotations and logouts that must be acknowledged.
pub(crate) const ACKNOWLEDGED: usize = 1000;
/// The time within which the whole run must end, and within which a client must get a response after a crash.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

/// A server that can be killed.
pub(crate) trait Server {
    /// Kills all its processes (`kill -9`).
    fn kill(&mut self);
    /// Starts the server with its data on disk.
    fn start_again(&mut self);
}

impl Server for Postgres {
    fn kill(&mut self) {
        Postgres::kill(self);
    }

    fn start_again(&mut self) {
        Postgres::start_again(self);
    }
}

impl Server for Redis {
    fn kill(&mut self) {
        Redis::kill(self);
    }

    fn start_again(&mut self) {
        Redis::start_again(self);
    }
}

/// Kills the server at least `kills` times while clients use nodes on these stores. Each store belongs to one node for
/// the whole run.
pub(crate) async fn crash_repeatedly(
    server: &mut impl Server,
    kills: usize,
    stores: [Arc<dyn SessionStore>; 2],
    new_store: impl AsyncFnOnce() -> Arc<dyn SessionStore>,
) {
    let history = History::shared(CLIENTS);
    let old = stores.clone().map(|store| node(store, GRACE));
    let gate = Arc::new(RwLock::new(true));
    let mut clients = JoinSet::new();
    for client_index in 0..CLIENTS {
        let client =
            Client::new(client_index, CookieJar::default(), old.to_vec(), record_to(&history));
        clients.spawn(client.run(Arc::clone(&gate)));
    }
    let mut rng = Rng::new();
    let deadline = Instant::now() + TIMEOUT;
    while !is_enough(&history, kills) {
        assert!(Instant::now() < deadline, "the run takes too long: {}", lock(&history));
        wait_for_answers(&history, 1).await;
        sleep(rng.millis(0, 400)).await;
        let down = Instant::now();
        block_in_place(|| server.kill());
        lock(&history).counts.kills += 1;
        sleep(rng.millis(0, 50)).await;
        block_in_place(|| server.start_again());
        if down.elapsed() > GRACE / 4 {
            // Retries may now be late, and two late retries in one generation count as reuse.
            wait_for_every_client(&history).await;
        }
        if rng.one_in(2) {
            let open = gate.write().await;
            audit(&*stores[0], &history).await;
            drop(open);
        }
        lock(&history).assert_nothing_wrong();
    }
    *gate.write().await = false;
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let new = new_store().await;
    let nodes: Vec<_> = [node(Arc::clone(&new), GRACE)].into_iter().chain(old).collect();
    final_checks(&*new, &nodes, &history).await;
    report(&history);
    assert_ne!(lock(&history).counts.errors, 0, "no client noticed a crash");
}

pub(crate) fn is_enough(history: &SharedHistory, kills: usize) -> bool {
    let history = lock(history);
    let rotated = history.counts.refreshes - history.counts.repeated;
    rotated + history.counts.logouts >= ACKNOWLEDGED && history.counts.kills >= kills
}

/// Waits until `more` further refreshes and logouts are acknowledged.
pub(crate) async fn wait_for_answers(history: &SharedHistory, more: usize) {
    let before = lock(history).acknowledged();
    wait_until(history, |history| history.acknowledged() >= before + more).await;
}

/// Waits until every client has received three more responses.
pub(crate) async fn wait_for_every_client(history: &SharedHistory) {
    let before = lock(history).answers.clone();
    let more = |history: &History| {
        history.answers.iter().zip(&before).all(|(answers, before)| *answers >= before + 3)
    };
    wait_until(history, more).await;
}

async fn wait_until(history: &SharedHistory, holds: impl Fn(&History) -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !holds(&lock(history)) {
        lock(history).assert_nothing_wrong();
        assert!(Instant::now() < deadline, "no more responses arrive: {}", lock(history));
        sleep(Duration::from_millis(2)).await;
    }
}

#[allow(clippy::print_stderr)]
pub(crate) fn report(history: &SharedHistory) {
    eprintln!("{}", lock(history));
}
