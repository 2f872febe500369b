//! A server that is killed again and again, over the nodes of an application that lives on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::RwLock;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::sleep;
use tower_jwt_auth::SessionStore;
use tower_jwt_auth_tests::servers::{Postgres, Redis};

use crate::audit::audit;
use crate::client::Client;
use crate::dice::Dice;
use crate::event::Jar;
use crate::ledger::{Ledger, Shared, lock, tell};
use crate::node::{GRACE, node};
use crate::verdict::verdict;

/// How many clients there are at a time.
pub(crate) const CLIENTS: usize = 24;
/// How many rotations and logouts have to be acknowledged.
pub(crate) const ACKNOWLEDGED: usize = 1000;
/// How long it may take until all this has happened, and until anyone is answered after a crash.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A server that can be killed.
pub(crate) trait Server {
    /// `kill -9`, of all its processes.
    fn kill(&mut self);
    /// Starts it on what it has on disk.
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

/// Kills the server at least so many times while clients are at work over these stores, of which each is a node's
/// and stays so.
pub(crate) async fn storm(
    server: &mut impl Server,
    kills: usize,
    stores: [Arc<dyn SessionStore>; 2],
    new_store: impl AsyncFnOnce() -> Arc<dyn SessionStore>,
) {
    let ledger = Ledger::shared(CLIENTS);
    let old = stores.clone().map(|store| node(store, GRACE));
    let gate = Arc::new(RwLock::new(true));
    let mut clients = JoinSet::new();
    for seat in 0..CLIENTS {
        let client = Client::new(seat, Jar::default(), old.to_vec(), tell(&ledger));
        clients.spawn(client.run(Arc::clone(&gate)));
    }
    let mut dice = Dice::new();
    let deadline = Instant::now() + PATIENCE;
    while !is_enough(&ledger, kills) {
        assert!(Instant::now() < deadline, "it takes too long: {}", lock(&ledger));
        answers(&ledger, 1).await;
        sleep(dice.millis(0, 400)).await;
        let down = Instant::now();
        block_in_place(|| server.kill());
        lock(&ledger).counts.kills += 1;
        sleep(dice.millis(0, 50)).await;
        block_in_place(|| server.start_again());
        if down.elapsed() > GRACE / 4 {
            // Retries may come late now, and two late ones in one generation are taken for a thief's.
            everyone_is_answered(&ledger).await;
        }
        if dice.one_in(2) {
            let open = gate.write().await;
            audit(&*stores[0], &ledger).await;
            drop(open);
        }
        lock(&ledger).assert_nothing_wrong();
    }
    *gate.write().await = false;
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let new = new_store().await;
    let nodes: Vec<_> = [node(Arc::clone(&new), GRACE)].into_iter().chain(old).collect();
    verdict(&*new, &nodes, &ledger).await;
    report(&ledger);
    assert_ne!(lock(&ledger).counts.errors, 0, "nobody noticed");
}

pub(crate) fn is_enough(ledger: &Shared, kills: usize) -> bool {
    let ledger = lock(ledger);
    let rotated = ledger.counts.refreshes - ledger.counts.repeated;
    rotated + ledger.counts.logouts >= ACKNOWLEDGED && ledger.counts.kills >= kills
}

/// Waits until so many more refreshes and logouts have been acknowledged.
pub(crate) async fn answers(ledger: &Shared, more: usize) {
    let before = lock(ledger).acknowledged();
    until(ledger, |ledger| ledger.acknowledged() >= before + more).await;
}

/// Waits until every client has had three answers more.
pub(crate) async fn everyone_is_answered(ledger: &Shared) {
    let before = lock(ledger).answers.clone();
    let more = |ledger: &Ledger| {
        ledger.answers.iter().zip(&before).all(|(answers, before)| *answers >= before + 3)
    };
    until(ledger, more).await;
}

async fn until(ledger: &Shared, is_so: impl Fn(&Ledger) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so(&lock(ledger)) {
        lock(ledger).assert_nothing_wrong();
        assert!(Instant::now() < deadline, "no answers come any more: {}", lock(ledger));
        sleep(Duration::from_millis(2)).await;
    }
}

#[allow(clippy::print_stderr)]
pub(crate) fn report(ledger: &Shared) {
    eprintln!("{}", lock(ledger));
}
