//! SQLite: the processes that have the file open are killed, one or all of them, and others take their places.

mod worker;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::block_in_place;
use tokio::time::sleep;
use tower_jwt_auth::SessionStore;
use tower_jwt_auth_sqlx::SqliteStore;

use self::worker::{Work, Worker};
use crate::audit::audit;
use crate::dice::Dice;
use crate::event::{Event, Held, What};
use crate::late::{SHORT, is_given_the_successor, start};
use crate::ledger::{Ledger, lock};
use crate::node::{GRACE, node};
use crate::storm::{CLIENTS, PATIENCE, answers, everyone_is_answered, is_enough, report};
use crate::verdict::verdict;

/// How many processes there are at a time; each has its share of the clients.
const WORKERS: usize = 2;
/// How often one is killed, at least.
const KILLS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_undoes_no_logout_locks_nobody_out_and_forks_no_session() {
    let name =
        "sqlite::a_process_that_is_killed_undoes_no_logout_locks_nobody_out_and_forks_no_session";
    if worker::is_one() {
        return worker::run().await;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.db");
    let ledger = Ledger::shared(CLIENTS);
    let begin = |number: usize| {
        let mine = |(seat, _): &(usize, _)| seat % WORKERS == number;
        let jars = lock(&ledger).jars.clone().into_iter().enumerate().filter(mine).collect();
        let work = Work { path: path.clone(), jars, grace: GRACE };
        Worker::start(name, &work, &ledger)
    };
    let mut dice = Dice::new();
    let mut workers: Vec<Worker> = (0..WORKERS).map(begin).collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "it takes too long: {}", lock(&ledger));
        answers(&ledger, 1).await;
        sleep(dice.millis(0, 250)).await;
        let one = usize::from(dice.one_in(2));
        let down = Instant::now();
        let all = dice.one_in(2) || is_enough(&ledger, KILLS);
        for (number, worker) in workers.iter_mut().enumerate() {
            if all || number == one {
                block_in_place(|| worker.kill());
                lock(&ledger).counts.kills += 1;
            }
        }
        lock(&ledger).assert_nothing_wrong();
        if all {
            audit(&*open(&path).await, &ledger).await;
            lock(&ledger).assert_nothing_wrong();
            if is_enough(&ledger, KILLS) {
                break;
            }
        }
        for (number, worker) in workers.iter_mut().enumerate() {
            if all || number == one {
                *worker = begin(number);
            }
        }
        if down.elapsed() > GRACE / 4 {
            // Retries may come late now, and two late ones in one generation are taken for a thief's.
            everyone_is_answered(&ledger).await;
        }
    }
    let store = open(&path).await;
    verdict(&*store, &[node(Arc::clone(&store), GRACE)], &ledger).await;
    report(&ledger);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_answer_was_lost_with_the_process_may_come_back_late() {
    let name = "sqlite::a_client_whose_answer_was_lost_with_the_process_may_come_back_late";
    if worker::is_one() {
        return worker::run_once().await;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.db");
    let ledger = Ledger::shared(1);
    let first = {
        let node = node(open(&path).await, SHORT);
        let tokens = start(&node).await;
        let (held, access) = (Held::of(&tokens), tokens.access().as_str().to_owned());
        lock(&ledger).take(Event { seat: 0, what: What::Started { held: held.clone(), access } });
        held
    };
    let jars = lock(&ledger).jars.clone().into_iter().enumerate().collect();
    let work = Work { path: path.clone(), jars, grace: SHORT };
    let mut worker = Worker::start(name, &work, &ledger);
    answers(&ledger, 1).await;
    block_in_place(|| worker.kill());
    lock(&ledger).assert_nothing_wrong();
    let store = open(&path).await;
    let lost = lock(&ledger).sessions[&first.sid].tokens[1].clone();
    is_given_the_successor(store, &first.token, &lost).await;
}

async fn open(path: &Path) -> Arc<dyn SessionStore> {
    Arc::new(SqliteStore::open(path).await.unwrap())
}
