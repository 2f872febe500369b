//! The same histories on every store.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tower_jwt_auth::MemoryStore;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth_core::TokenId;
use tower_jwt_auth_redis::{RedisOptions, RedisStore};
use tower_jwt_auth_sqlx::{PostgresStore, SqliteStore};
use tower_jwt_auth_tests::servers;

use crate::clocks::Clocks;
use crate::run::{Checked, Run};
use crate::steps::{History, history};

/// The number of histories in memory, unless `PROPTEST_CASES` is set.
const CASES: u32 = 300;
/// The grace window with the system clock.
const GRACE: Duration = Duration::from_millis(200);

/// Runs histories of at most `steps` steps.
fn histories(config: &Config, steps: usize, play: impl Fn(&History) -> Checked) {
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => random_seed(),
    };
    let config =
        Config { rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..config.clone() };
    let (count, failed_at) = (Cell::new(0_u32), Cell::new(None));
    let result = TestRunner::new(config).run(&history(steps), |history| {
        count.set(count.get() + 1);
        let outcome = play(&history);
        if outcome.is_err() && failed_at.get().is_none() {
            failed_at.set(Some(count.get()));
        }
        outcome
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, history)) => panic!(
            "{reason}\nHistory {} fails. The shortest failing history found:\n{history:#?}\n\
             PROPTEST_RNG_SEED={seed} reproduces it.",
            failed_at.get().unwrap_or_default()
        ),
        Err(TestError::Abort(reason)) => panic!("the test was aborted: {reason}"),
    }
}

fn random_seed() -> u64 {
    let id = TokenId::random().unwrap();
    u64::from_be_bytes(id.as_bytes()[..8].try_into().unwrap())
}

/// Creates a runtime with paused time, in which timers expire at once.
fn paused() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// The events that must occur in the histories of a run. Without them the test would prove nothing.
const MUST_BE_SEEN: [&str; 18] = [
    "rotation",
    "replay",
    "late retry",
    "reuse",
    "refusal",
    "unavailable refresh",
    "end",
    "end for the limit",
    "removal",
    "sign-in of which the answer was lost",
    "race with two answers",
    "accepted",
    "accepted by the store",
    "unavailable call",
    "refused as expired",
    "refused as answered",
    "refused or unavailable by the store",
    "refused after another node's end",
];

#[test]
fn in_memory_every_history_matches_the_reference() {
    let mut config = Config { max_shrink_time: 30_000, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let cases = config.cases;
    let seen = RefCell::new(BTreeMap::<&str, usize>::new());
    histories(&config, 60, |history| {
        paused().block_on(async {
            let clocks = Clocks::manual();
            let store = Arc::new(MemoryStore::with_clock(clocks.of_store()));
            let mut run = Run::new(history, store, clocks).await;
            let outcome = run.play(history).await;
            for (what, count) in run.seen {
                *seen.borrow_mut().entry(what).or_default() += count;
            }
            outcome
        })
    });
    let seen = seen.into_inner();
    for what in MUST_BE_SEEN {
        assert!(cases < CASES || seen.contains_key(what), "{what:?} did not occur: {seen:?}");
    }
}

/// Runs histories on an engine with the system clock: few of them, and without expiry.
fn on_an_engine<S, F>(store: impl Fn() -> F)
where
    F: Future<Output = (Arc<dyn SessionStore>, S)>,
{
    let config = Config { cases: 10, max_shrink_time: 30_000, ..Config::default() };
    histories(&config, 30, |history| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, _guard) = store().await;
            let clocks = Clocks::Wall { grace: GRACE };
            Run::new(history, store, clocks).await.play(history).await
        })
    });
}

#[test]
fn on_sqlite_every_history_matches_the_reference() {
    on_an_engine(async || {
        let directory = TempDir::new().unwrap();
        let store = SqliteStore::open(directory.path().join("sessions.db")).await.unwrap();
        (Arc::new(store) as Arc<dyn SessionStore>, directory)
    });
}

#[test]
fn on_postgresql_every_history_matches_the_reference() {
    let Some(server) = servers::postgres() else { return };
    on_an_engine(async || {
        let store = PostgresStore::connect(&server.new_database()).await.unwrap();
        (Arc::new(store) as Arc<dyn SessionStore>, ())
    });
}

#[test]
fn on_redis_every_history_matches_the_reference() {
    let Some(server) = servers::redis() else { return };
    on_an_engine(async || {
        let prefix = TokenId::random().unwrap().to_string();
        let options = RedisOptions::default().with_prefix(&prefix).unwrap();
        let store = RedisStore::connect_with(&server.url(), options).await.unwrap();
        (Arc::new(store) as Arc<dyn SessionStore>, ())
    });
}
