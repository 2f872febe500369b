use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Row as _;
use tower_jwt_auth_core::{AdvanceRequest, RevocationLog, Session, SessionLimit, SessionStore};
use tower_jwt_auth_sqlx::PostgresStore;
use tower_jwt_auth_tests::servers::{self, Proxy};
use tower_jwt_auth_tests::util::until;

use super::{connection, new_store, run};
use crate::support::{HOUR, assert_restore_ends_all, end_all, list, read, session, step};

/// Returns the URL with the address of the proxy.
fn through(proxy: &Proxy, url: &str) -> String {
    let database = url.rsplit('/').next().unwrap();
    format!("postgres://postgres@{}/{database}", proxy.address())
}

fn advance(session: &Session, from_generation: u64) -> AdvanceRequest {
    AdvanceRequest { from_generation, ..step(session) }
}

#[tokio::test]
async fn a_normal_refresh_is_one_round_trip() {
    let Some(server) = servers::postgres() else { return };
    let proxy = Proxy::start(server.address());
    let store = PostgresStore::connect(&through(&proxy, &server.new_database())).await.unwrap();
    let session = session("alice");
    store.insert(&session, SessionLimit::none()).await.unwrap();
    // The first call on a connection also prepares the statement.
    store.advance(&advance(&session, 0)).await.unwrap().unwrap();
    let before = proxy.round_trips();
    for generation in 1..=100 {
        store.advance(&advance(&session, generation)).await.unwrap().unwrap();
    }
    let trips = proxy.round_trips() - before;
    // The listener may cause a few more.
    assert!((100..110).contains(&trips), "{trips}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_ends_of_the_same_sessions_end_each_session_once() {
    let Some((store, _)) = new_store().await else { return };
    let store = Arc::new(store);
    for round in 0..10 {
        let subject = format!("alice {round}");
        let mut ids = HashSet::new();
        for _ in 0..20 {
            let session = session(&subject);
            store.insert(&session, SessionLimit::none()).await.unwrap();
            ids.insert(session.id().to_string());
        }
        let mut ending = Vec::new();
        for _ in 0..8 {
            let (store, subject) = (store.clone(), subject.clone());
            ending.push(tokio::spawn(async move { end_all(&store, &subject).await.unwrap() }));
        }
        let mut ended = Vec::new();
        for one in ending {
            ended.extend(one.await.unwrap());
        }
        assert_eq!(ended.len(), 20);
        let named: HashSet<_> = ended.iter().map(|entry| entry.target().2.to_owned()).collect();
        assert_eq!(named, ids);
    }
}

#[tokio::test]
async fn an_unavailable_server_is_an_error_soon_and_can_return() {
    let Some(server) = servers::postgres() else { return };
    let proxy = Proxy::start(server.address());
    let store = PostgresStore::connect(&through(&proxy, &server.new_database())).await.unwrap();
    let store = Arc::new(store);
    let session = session("alice");
    store.insert(&session, SessionLimit::none()).await.unwrap();

    proxy.cut();
    until("the store fails", async || store.load(session.id()).await.is_err()).await;
    let begun = Instant::now();
    let mut asking = Vec::new();
    for _ in 0..100 {
        let (store, id) = (store.clone(), session.id());
        asking.push(tokio::spawn(async move { store.load(id).await.is_err() }));
    }
    for one in asking {
        assert!(one.await.unwrap());
    }
    // The calls do not queue for consecutive connection attempts.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());

    proxy.mend();
    until("the store answers", async || store.load(session.id()).await.is_ok()).await;
}

#[tokio::test]
async fn calls_cancelled_while_the_server_is_frozen_leak_no_connection() {
    let Some(server) = servers::postgres() else { return };
    let proxy = Proxy::start(server.address());
    let store = PostgresStore::connect(&through(&proxy, &server.new_database())).await.unwrap();
    let session = session("alice");
    store.insert(&session, SessionLimit::none()).await.unwrap();
    proxy.freeze();
    for _ in 0..30 {
        let asked = tokio::time::timeout(Duration::from_millis(20), store.load(session.id()));
        assert!(asked.await.map_or(true, |snapshot| snapshot.is_err()));
    }
    proxy.mend();
    until("the store answers", async || {
        let asked = tokio::time::timeout(Duration::from_secs(5), store.load(session.id()));
        matches!(asked.await, Ok(Ok(Some(_))))
    })
    .await;
    for _ in 0..30 {
        store.load(session.id()).await.unwrap();
    }
}

/// Ends all connections to this database except the current one.
const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_closed_fail_one_call_each_at_most() {
    let Some((store, url)) = new_store().await else { return };
    let store = Arc::new(store);
    let session = session("alice");
    store.insert(&session, SessionLimit::none()).await.unwrap();
    for idle in [Duration::ZERO, Duration::from_millis(1200)] {
        // Open many connections at once.
        let mut asking = Vec::new();
        for _ in 0..50 {
            let (store, id) = (store.clone(), session.id());
            asking.push(tokio::spawn(async move { store.load(id).await.unwrap() }));
        }
        for one in asking {
            one.await.unwrap();
        }
        run(&url, TERMINATE).await;
        tokio::time::sleep(idle).await;
        let mut failed = 0;
        for _ in 0..50 {
            failed += usize::from(store.load(session.id()).await.is_err());
        }
        // A connection that was used a moment ago is not checked. The others are closed with it, or checked first.
        let most = if idle.is_zero() { 16 } else { 0 };
        assert!(failed <= most, "{failed} calls failed after {idle:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_a_restore_ends_are_in_the_log_while_nodes_write() {
    let Some((store, _)) = new_store().await else { return };
    let store = Arc::new(store);
    let adding = tokio::spawn({
        let store = store.clone();
        async move {
            let mut added = Vec::new();
            for _ in 0..300 {
                let session = session("alice");
                store.insert(&session, SessionLimit::none()).await.unwrap();
                added.push(session.id());
            }
            added
        }
    });
    while !adding.is_finished() {
        store.after_restore().await.unwrap();
    }
    let (log, _) = read(&store, None).await;
    let logged: HashSet<_> = log.iter().map(|entry| entry.target().2.to_owned()).collect();
    for id in adding.await.unwrap() {
        let row = store.load(id).await.unwrap().unwrap().session;
        assert_eq!(row.record().ended.is_some(), logged.contains(&id.to_string()));
    }
}

#[tokio::test]
async fn after_a_restore_all_sessions_are_ended_and_all_cursors_lost() {
    let Some((store, _)) = new_store().await else { return };
    assert_restore_ends_all(&store, async || store.after_restore().await.unwrap()).await;
}

/// Returns how often an index was scanned.
async fn scans(url: &str, index: &'static str) -> i64 {
    let mut connection = connection(url).await;
    let used = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = $1";
    let row = sqlx::query(used).bind(index).fetch_one(&mut connection).await.unwrap();
    row.get(0)
}

#[tokio::test]
async fn sessions_are_found_by_index_and_refreshes_update_no_index() {
    let Some((store, url)) = new_store().await else { return };
    let alice = session("alice");
    store.insert(&alice, SessionLimit::none()).await.unwrap();
    run(
        &url,
        "INSERT INTO tower_jwt_auth_sessions (id, issuer, subject, secret_hash, generation, \
             created_at, rotated_at, idle_until, expires_at, access_until, auth_time, client_id, \
             scope, claims) \
         SELECT md5(n::text), issuer, 'user ' || n, secret_hash, 0, created_at, rotated_at, \
             idle_until, expires_at, access_until, auth_time, client_id, scope, claims \
         FROM tower_jwt_auth_sessions, generate_series(1, 20000) AS n; \
         ANALYZE tower_jwt_auth_sessions",
    )
    .await;
    let index = "tower_jwt_auth_sessions_owner";
    let before = scans(&url, index).await;
    assert_eq!(list(&store, "alice").await.unwrap(), std::slice::from_ref(&alice));
    until("the list used the index", async || {
        list(&store, "alice").await.unwrap();
        scans(&url, index).await > before
    })
    .await;
    let before = scans(&url, "tower_jwt_auth_sessions_over").await;
    until("the purge used the index", async || {
        assert_eq!(store.purge_sessions(HOUR, 1000).await.unwrap(), 0);
        scans(&url, "tower_jwt_auth_sessions_over").await > before
    })
    .await;

    // Updates that change no indexed column stay in their page (HOT) and leave no dead index entries.
    for generation in 0..50 {
        store.advance(&advance(&alice, generation)).await.unwrap().unwrap();
    }
    until("the updates are counted, most of them HOT", async || {
        let mut connection = connection(&url).await;
        let counts = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables \
             WHERE relname = 'tower_jwt_auth_sessions'";
        let row = sqlx::query(counts).fetch_one(&mut connection).await.unwrap();
        let (all, hot): (i64, i64) = (row.get(0), row.get(1));
        store.load(alice.id()).await.unwrap();
        all >= 50 && hot * 10 >= all * 8
    })
    .await;
}

/// Returns how many pages of the log's index were read.
async fn blocks(url: &str) -> i64 {
    let mut connection = connection(url).await;
    let seen = "SELECT idx_blks_hit + idx_blks_read FROM pg_statio_user_indexes \
         WHERE indexrelname = 'tower_jwt_auth_log_pkey'";
    sqlx::query(seen).fetch_one(&mut connection).await.unwrap().get(0)
}

/// How often the test waits for the statistics of PostgreSQL to settle.
const MAX_CHECKS: usize = 50;

#[tokio::test]
async fn a_long_log_is_read_and_purged_without_a_full_scan() {
    let Some((store, url)) = new_store().await else { return };
    run(
        &url,
        "INSERT INTO tower_jwt_auth_log (kind, issuer, target_id, until) \
         SELECT 'token', 'https://issuer.example', n::text, 4102444800000 \
         FROM generate_series(1, 100000) AS n; \
         ANALYZE tower_jwt_auth_log",
    )
    .await;
    // The inserts read pages of the index, which must be counted first.
    until("the inserts are counted", async || blocks(&url).await >= 100_000).await;
    let sequential = "SELECT seq_scan, seq_tup_read FROM pg_stat_user_tables \
         WHERE relname = 'tower_jwt_auth_log'";
    let scanned = async || {
        let mut connection = connection(&url).await;
        let row = sqlx::query(sequential).fetch_one(&mut connection).await.unwrap();
        row.get::<i64, _>(0)
    };
    let (_, mut end) = read(&store, None).await;
    let before = scanned().await;
    // A backend reports its reads with a later command, and at most once a second. The read of the whole log
    // must be in the count before the measurement starts.
    let mut blocks_before = blocks(&url).await;
    for checks in 1.. {
        assert!(
            checks <= MAX_CHECKS,
            "the number of index reads changes after {MAX_CHECKS} checks"
        );
        tokio::time::sleep(Duration::from_millis(1200)).await;
        store.purge_log(HOUR, 1000).await.unwrap();
        let now = blocks(&url).await;
        if now == blocks_before {
            break;
        }
        blocks_before = now;
    }
    for _ in 0..20 {
        assert_eq!(store.purge_log(HOUR, 1000).await.unwrap(), 0);
        let (new, next) = read(&store, Some(end)).await;
        assert!(new.is_empty());
        end = next;
    }
    // Backends report their scans late. Once later scans are counted, these are also counted.
    let scans_before = scans(&url, "tower_jwt_auth_log_until").await;
    until("the purges are counted", async || {
        store.purge_log(HOUR, 1000).await.unwrap();
        scans(&url, "tower_jwt_auth_log_until").await > scans_before + 20
    })
    .await;
    assert_eq!(scanned().await, before, "the table was scanned from end to end");
    // The index has more than 300 pages.
    let blocks = blocks(&url).await - blocks_before;
    assert!(blocks < 20 * 100, "the index was scanned from end to end: {blocks}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_purged_in_batches_by_several_nodes_at_once() {
    let Some((store, url)) = new_store().await else { return };
    run(
        &url,
        "INSERT INTO tower_jwt_auth_log (kind, issuer, target_id, until) \
         SELECT 'token', 'https://issuer.example', n::text, n FROM generate_series(1, 5000) AS n",
    )
    .await;
    let store = Arc::new(store);
    let mut purging = Vec::new();
    for _ in 0..4 {
        let store = store.clone();
        purging.push(tokio::spawn(async move {
            let mut purged = 0;
            loop {
                match store.purge_log(HOUR, 100).await.unwrap() {
                    0 => return purged,
                    some => purged += some,
                }
            }
        }));
    }
    let mut purged = 0;
    for one in purging {
        purged += one.await.unwrap();
    }
    assert_eq!(purged, 5000);
}
