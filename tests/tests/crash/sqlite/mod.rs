//! SQLite: one or all of the processes that have the file open are killed, and other processes replace them.

mod worker;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::block_in_place;
use tokio::time::sleep;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth_sqlx::SqliteStore;

use self::worker::{Work, Worker};
use crate::audit::audit;
use crate::event::{Event, EventKind, HeldToken};
use crate::final_checks::final_checks;
use crate::history::{History, lock};
use crate::late_retry::{SHORT, expect_successor, start};
use crate::node::{GRACE, node};
use crate::rng::Rng;
use crate::server_crashes::{
    CLIENTS, TIMEOUT, is_enough, report, wait_for_answers, wait_for_every_client,
};

/// The number of concurrent processes. Each has a share of the clients.
const WORKERS: usize = 2;
/// The minimum number of kills.
const KILLS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_undoes_no_logout_locks_nobody_out_and_forks_no_session() {
    let name = "sqlite::a_killed_process_undoes_no_logout_locks_nobody_out_and_forks_no_session";
    if worker::is_worker() {
        return worker::run().await;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.db");
    let history = History::shared(CLIENTS);
    let begin = |number: usize| {
        let mine = |(client_index, _): &(usize, _)| client_index % WORKERS == number;
        let jars = lock(&history).jars.clone().into_iter().enumerate().filter(mine).collect();
        let work = Work { path: path.clone(), jars, grace: GRACE };
        Worker::start(name, &work, &history)
    };
    let mut rng = Rng::new();
    let mut workers: Vec<Worker> = (0..WORKERS).map(begin).collect();
    let deadline = Instant::now() + TIMEOUT;
    loop {
        assert!(Instant::now() < deadline, "the run takes too long: {}", lock(&history));
        wait_for_answers(&history, 1).await;
        sleep(rng.millis(0, 250)).await;
        let one = usize::from(rng.one_in(2));
        let down = Instant::now();
        let all = rng.one_in(2) || is_enough(&history, KILLS);
        for (number, worker) in workers.iter_mut().enumerate() {
            if all || number == one {
                block_in_place(|| worker.kill());
                lock(&history).counts.kills += 1;
            }
        }
        lock(&history).assert_nothing_wrong();
        if all {
            audit(&*open(&path).await, &history).await;
            lock(&history).assert_nothing_wrong();
            if is_enough(&history, KILLS) {
                break;
            }
        }
        for (number, worker) in workers.iter_mut().enumerate() {
            if all || number == one {
                *worker = begin(number);
            }
        }
        if down.elapsed() > GRACE / 4 {
            // Retries may now be late, and two late retries in one generation count as reuse.
            wait_for_every_client(&history).await;
        }
    }
    let store = open(&path).await;
    final_checks(&*store, &[node(Arc::clone(&store), GRACE)], &history).await;
    report(&history);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_response_was_lost_with_the_process_can_retry_late() {
    let name = "sqlite::a_client_whose_response_was_lost_with_the_process_can_retry_late";
    if worker::is_worker() {
        return worker::run_once().await;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.db");
    let history = History::shared(1);
    let first = {
        let node = node(open(&path).await, SHORT);
        let tokens = start(&node).await;
        let (held, access) = (HeldToken::of(&tokens), tokens.access().as_str().to_owned());
        lock(&history).record(Event {
            client_index: 0,
            kind: EventKind::Started { held: held.clone(), access },
        });
        held
    };
    let jars = lock(&history).jars.clone().into_iter().enumerate().collect();
    let work = Work { path: path.clone(), jars, grace: SHORT };
    let mut worker = Worker::start(name, &work, &history);
    wait_for_answers(&history, 1).await;
    block_in_place(|| worker.kill());
    lock(&history).assert_nothing_wrong();
    let store = open(&path).await;
    let lost = lock(&history).sessions[&first.sid].tokens[1].clone();
    expect_successor(store, &first.token, &lost).await;
}

async fn open(path: &Path) -> Arc<dyn SessionStore> {
    Arc::new(SqliteStore::open(path).await.unwrap())
}
