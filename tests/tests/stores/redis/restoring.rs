use std::fs;
use std::path::Path;

use tower_jwt_auth_core::{EndReason, Session, SessionSelector, SessionStore, Timestamp};
use tower_jwt_auth_redis::RedisStore;
use tower_jwt_auth_tests::servers::Redis;
use tower_jwt_auth_tests::util::{error_chain, until};

use super::{ANY, Workspace, durable_server, follow, promote};
use crate::support::{HOUR, assert_restore_ends_all, is_lost, list, read, revoke, session};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Waits until the store answers. The first call may fail on the closed connection.
async fn until_answers(store: &RedisStore) {
    until("the store answers again", async || list(store, "").await.is_ok()).await;
}

#[tokio::test]
async fn acknowledged_writes_survive_a_crash() {
    let Some(mut server) = durable_server() else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    for _ in 0..3 {
        let (live, ended) = (session("alice"), session("alice"));
        store.insert(&live, ANY).await.unwrap();
        store.insert(&ended, ANY).await.unwrap();
        let selector = SessionSelector::ById { id: ended.id() };
        let entry = store.end(&selector, EndReason::Logout).await.unwrap().unwrap();
        let revoked = revoke(&store).await;
        server.kill();
        server.start_again();
        until_answers(&store).await;
        assert_eq!(store.load(live.id()).await.unwrap().unwrap().session, live);
        let row = store.load(ended.id()).await.unwrap().unwrap().session.into_record();
        assert_eq!(row.ended.map(|ended| ended.reason), Some(EndReason::Logout));
        let (log, _) = read(&store, None).await;
        assert!(log.contains(&revoked) && log.contains(&entry));
    }
}

#[tokio::test]
async fn a_log_that_a_restore_rewound_loses_cursors_and_is_read_again() {
    let Some(mut server) = durable_server() else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let before = revoke(&store).await;
    let (_, early) = read(&store, None).await;
    let backup = tempfile::tempdir().unwrap();
    copy(server.dir(), backup.path());
    revoke(&store).await;
    let (_, late) = read(&store, None).await;

    server.kill();
    fs::remove_dir_all(server.dir()).unwrap();
    copy(backup.path(), server.dir());
    server.start_again();
    until_answers(&store).await;
    assert!(is_lost(&store, &late).await, "the cursor is beyond the end");
    // The log is now longer than at that cursor again.
    let after = [revoke(&store).await, revoke(&store).await];
    for cursor in [late, early] {
        assert!(is_lost(&store, &cursor).await, "other entries have taken the positions");
    }
    let (all, end) = read(&store, None).await;
    assert_eq!(all, [&[before], &after[..]].concat());
    assert!(!is_lost(&store, &end).await);
}

#[tokio::test]
async fn a_server_that_was_a_replica_meanwhile_loses_cursors() {
    let (Some(one), Some(other)) = (Redis::start(&[]), Redis::start(&[])) else { return };
    let store = RedisStore::connect(&one.url()).await.unwrap();
    revoke(&store).await;
    follow(&other, &one);
    // The other server takes over before it has this revocation.
    let (_, cursor) = read(&store, None).await;
    assert!(!is_lost(&store, &cursor).await);
    let run_id = |server: &Redis| {
        let info = server.cli(&["info", "server"]);
        info.lines().find(|line| line.starts_with("run_id:")).unwrap().to_owned()
    };
    let run = run_id(&one);
    promote(&other);
    follow(&one, &other);
    promote(&one);
    until_answers(&store).await;
    assert_eq!(run_id(&one), run, "the process and its data should be the same");
    assert!(is_lost(&store, &cursor).await);
}

#[tokio::test]
async fn data_flushed_while_in_use_starts_over() {
    let Some(server) = Redis::start(&[]) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    revoke(&store).await;
    let (_, cursor) = read(&store, None).await;
    server.cli(&["flushall"]);
    assert!(is_lost(&store, &cursor).await);
    let revoked = revoke(&store).await;
    assert!(is_lost(&store, &cursor).await);
    assert_eq!(read(&store, None).await.0, [revoked]);
    let alice = session("alice");
    store.insert(&alice, ANY).await.unwrap();
    assert_eq!(store.load(alice.id()).await.unwrap().unwrap().session, alice);
    // A new connection finds the expected keys.
    RedisStore::connect(&server.url()).await.unwrap();
}

#[tokio::test]
async fn after_a_restore_all_sessions_end_and_the_log_starts_over() {
    let Some((Workspace { store, .. }, _)) = Workspace::new().await else { return };
    let mut sessions = Vec::new();
    // These are more sessions than a batch.
    for number in 0..1500 {
        let new = session(&format!("user-{}", number % 100));
        store.insert(&new, ANY).await.unwrap();
        sessions.push(new);
    }
    for over in &sessions[..3] {
        store.end(&SessionSelector::ById { id: over.id() }, EndReason::Reuse).await.unwrap();
    }
    let (_, cursor) = read(&store, None).await;
    assert_eq!(store.after_restore().await.unwrap(), 1497);
    assert!(is_lost(&store, &cursor).await);
    let (log, end) = read(&store, None).await;
    assert_eq!(log.len(), 1500);
    for ended in [&sessions[0], &sessions[1499]] {
        let row = store.load(ended.id()).await.unwrap().unwrap().session;
        assert!(row.record().ended.is_some());
        assert!(log.contains(&row.record().revocation()));
    }
    assert!(list(&store, "user-7").await.unwrap().is_empty());
    assert_eq!(store.after_restore().await.unwrap(), 0);
    assert!(is_lost(&store, &end).await, "every restore loses the cursors");
}

#[tokio::test]
async fn after_a_restore_the_latest_time_stays_readable() {
    let Some((Workspace { store, .. }, _)) = Workspace::new().await else { return };
    let mut record = session("alice").into_record();
    record.rotated_at = record.rotated_at - HOUR;
    record.access_until = Timestamp::MAX;
    let session = Session::from_record(record);
    store.insert(&session, ANY).await.unwrap();
    assert_eq!(store.after_restore().await.unwrap(), 1);
    let row = store.load(session.id()).await.unwrap().unwrap().session;
    assert_eq!(read(&store, None).await.0, [row.record().revocation()]);
}

#[tokio::test]
async fn after_a_restore_a_malformed_row_keeps_no_other_session_alive() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let (broken, live) = (session("alice"), session("bob"));
    for new in [&broken, &live] {
        workspace.store.insert(new, ANY).await.unwrap();
    }
    server.cli(&["hdel", &workspace.key(&format!("session:{}", broken.id())), "subject"]);
    let error = workspace.store.after_restore().await.unwrap_err();
    assert!(
        error_chain(&error).contains("1 sessions cannot be read: remove them"),
        "{}",
        error_chain(&error)
    );
    assert!(
        workspace.store.load(live.id()).await.unwrap().unwrap().session.record().ended.is_some()
    );
}

#[tokio::test]
async fn after_a_restore_all_sessions_are_ended_and_all_cursors_lost() {
    let Some((Workspace { store, .. }, _)) = Workspace::new().await else { return };
    assert_restore_ends_all(&store, async || store.after_restore().await.unwrap()).await;
}
