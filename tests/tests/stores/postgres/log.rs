use std::process::Command;
use std::time::{Duration, Instant};

use tower_jwt_auth_core::{
    Heartbeat, LogEntry, LogPage, NodeId, Revocation, RevocationLog, Timestamp,
};
use tower_jwt_auth_sqlx::PostgresStore;
use tower_jwt_auth_tests::servers::Postgres;
use tower_jwt_auth_tests::util::until;

use super::{connection, new_store};
use crate::support::{is_lost, read, revoke};

const EARLY: &str = "INSERT INTO tower_jwt_auth_log (kind, issuer, target_id, until) \
    VALUES ('token', 'https://early.example', 'early', 4102444800000)";

fn is_early(entry: &Revocation) -> bool {
    matches!(entry, Revocation::Token { jti, .. } if jti == "early")
}

#[tokio::test]
async fn a_transaction_that_takes_its_id_early_and_commits_late_is_not_missed() {
    let Some((store, url)) = new_store().await else { return };
    let (_, start) = read(&store, None).await;
    let mut slow = connection(&url).await;
    let mut transaction = sqlx::Connection::begin(&mut slow).await.unwrap();
    sqlx::query(EARLY).execute(&mut *transaction).await.unwrap();

    // Other transactions take later ids and commit first.
    let mut written = Vec::new();
    for _ in 0..3 {
        written.push(revoke(&store).await);
    }
    let (seen, end) = read(&store, Some(start.clone())).await;
    assert_eq!(seen, written, "the open transaction must not delay other entries");
    let (again, end) = read(&store, Some(end)).await;
    assert!(again.is_empty(), "no entry is read twice: {again:?}");

    transaction.commit().await.unwrap();
    let (seen, end) = read(&store, Some(end)).await;
    assert!(matches!(&*seen, [one] if is_early(one)), "{seen:?}");
    assert!(read(&store, Some(end)).await.0.is_empty());
    let (all, _) = read(&store, Some(start)).await;
    assert_eq!(all.len(), 4);
}

#[tokio::test]
async fn an_entry_committed_between_two_pages_is_not_missed() {
    let Some((store, url)) = new_store().await else { return };
    let (_, start) = read(&store, None).await;
    let mut slow = connection(&url).await;
    let mut transaction = sqlx::Connection::begin(&mut slow).await.unwrap();
    sqlx::query(EARLY).execute(&mut *transaction).await.unwrap();
    for _ in 0..4 {
        revoke(&store).await;
    }
    let page = store.read(Some(&start), 2).await.unwrap();
    let LogPage::Entries { next, more: true, .. } = page else { panic!("{page:?}") };
    transaction.commit().await.unwrap();
    // Its id is smaller than those of the first page, and the rest of this scan continues after that page.
    let (rest, end) = read(&store, Some(next)).await;
    let (late, _) = read(&store, Some(end)).await;
    assert!(rest.iter().chain(&late).any(is_early), "{rest:?} {late:?}");
}

#[tokio::test]
async fn a_long_transaction_in_another_database_delays_no_entry() {
    let Some((store, _)) = new_store().await else { return };
    let Some((_, elsewhere)) = new_store().await else { return };
    let mut slow = connection(&elsewhere).await;
    let mut transaction = sqlx::Connection::begin(&mut slow).await.unwrap();
    sqlx::query(EARLY).execute(&mut *transaction).await.unwrap();

    let (_, mut end) = read(&store, None).await;
    for _ in 0..10 {
        let written = revoke(&store).await;
        let (seen, next) = read(&store, Some(end)).await;
        assert_eq!(seen, [written], "the entry is read at once, and no older one with it");
        end = next;
    }
    transaction.rollback().await.unwrap();
}

#[tokio::test]
async fn after_a_crash_or_restart_of_the_server_every_cursor_is_lost() {
    let Some(mut server) = Postgres::start() else { return };
    let store = PostgresStore::connect(&server.new_database()).await.unwrap();
    let kept = revoke(&store).await;
    let (_, end) = read(&store, None).await;
    assert!(!is_lost(&store, &end).await);
    // After the crash, the server assigns ids again that never reached the disk.
    server.kill();
    server.start_again();
    until("the store answers again", async || store.read(None, 1).await.is_ok()).await;
    assert!(is_lost(&store, &end).await);
    let (seen, end) = read(&store, None).await;
    assert_eq!(seen, [kept]);
    // A clean restart also loses the cursors, because the server may have restarted with other data.
    server.stop();
    server.start_again();
    until("the store answers again", async || store.read(None, 1).await.is_ok()).await;
    assert!(is_lost(&store, &end).await);
}

#[tokio::test]
async fn a_database_copied_into_a_younger_server_is_another_log() {
    let Some(old) = Postgres::start() else { return };
    let url = old.new_database();
    let store = PostgresStore::connect(&url).await.unwrap();
    for _ in 0..50 {
        revoke(&store).await;
    }
    let (_, end) = read(&store, None).await;
    let Some(young) = Postgres::start() else { return };
    let copy = young.new_database();
    dump_and_restore(&url, &copy);
    let store = PostgresStore::connect(&copy).await.unwrap();
    assert!(is_lost(&store, &end).await, "the new server has not assigned these ids");
    assert_eq!(read(&store, None).await.0.len(), 50);

    assert_eq!(store.after_restore().await.unwrap(), 0);
    let (all, end) = read(&store, None).await;
    assert_eq!(all.len(), 50);
    assert!(read(&store, Some(end)).await.0.is_empty(), "the ids of the old server have no effect");
}

/// Copies a database with `pg_dump` and `psql`.
fn dump_and_restore(from: &str, to: &str) {
    let dump = Command::new("pg_dump").arg(from).output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), dump.stdout).unwrap();
    let mut restore = Command::new("psql");
    restore.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(file.path()).arg(to);
    let restored = restore.output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
}

#[tokio::test]
async fn only_the_last_heartbeat_of_a_node_is_kept_and_it_delays_no_wakeup() {
    let Some((store, url)) = new_store().await else { return };
    let other = PostgresStore::connect(&url).await.unwrap();
    let (_, mut end) = read(&other, None).await;
    let at = Timestamp::from(std::time::SystemTime::now());
    let node = NodeId::random().unwrap();
    for beat in 1..=20 {
        store.append(&[LogEntry::Heartbeat(Heartbeat { node, beat, at })]).await.unwrap();
    }
    let page = other.read(None, 100).await.unwrap();
    let LogPage::Entries { entries, .. } = page else { panic!("{page:?}") };
    assert_eq!(entries, [LogEntry::Heartbeat(Heartbeat { node, beat: 20, at })]);

    // In most cases, a revocation wakes the other node long before its next poll.
    let mut waits = Vec::new();
    for _ in 0..9 {
        (_, end) = read(&other, Some(end)).await;
        let begun = Instant::now();
        let written = revoke(&store).await;
        loop {
            tokio::time::timeout(Duration::from_secs(10), other.changed(Some(&end)))
                .await
                .unwrap()
                .unwrap();
            let (seen, next) = read(&other, Some(end)).await;
            end = next;
            if seen.contains(&written) {
                break;
            }
        }
        waits.push(begun.elapsed());
    }
    waits.sort();
    assert!(waits[4] < Duration::from_millis(300), "{waits:?}");
}
