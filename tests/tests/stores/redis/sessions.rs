use std::time::Duration;

use tower_jwt_auth_core::{
    AdvanceRequest, EndReason, LateRetryRequest, LateRetryRun, RevocationKey, RevocationLog,
    Session, SessionLimit, SessionRecord, SessionSelector, SessionStore, StoreError, Timestamp,
};
use tower_jwt_auth_redis::RedisStore;
use tower_jwt_auth_tests::servers::{Proxy, Redis};
use tower_jwt_auth_tests::util::until;

use super::{ANY, Workspace};
use crate::support::{HASH, HOUR, end_all, list, read, session, step};

fn altered(change: impl FnOnce(&mut SessionRecord)) -> Session {
    let mut parts = session("alice").into_record();
    change(&mut parts);
    Session::from_record(parts)
}

fn retry(session: &Session) -> LateRetryRequest {
    LateRetryRequest {
        id: session.id(),
        secret_hash: HASH,
        generation: session.generation() - 1,
        grace: Duration::ZERO,
        max_running: 1,
        access_until: session.record().access_until,
    }
}

async fn row(store: &RedisStore, of: &Session) -> Session {
    store.load(of.id()).await.unwrap().unwrap().session
}

/// Calls each method of the store at least once.
async fn call_everything(store: &RedisStore, mut after: impl FnMut(&str)) {
    let (first, second) = (session("alice"), session("alice"));
    let issuer = "https://issuer.example";
    store.insert(&first, SessionLimit::end_oldest(100)).await.unwrap();
    after("insert");
    store.insert(&second, ANY).await.unwrap();
    after("insert");
    store.load(first.id()).await.unwrap().unwrap();
    after("load");
    let advanced = store.advance(&step(&first)).await.unwrap().unwrap();
    after("advance");
    store.late_retry(&retry(&advanced)).await.unwrap().unwrap();
    after("late_retry");
    assert_eq!(list(store, "alice").await.unwrap().len(), 2);
    after("list");
    let sid = &*second.id().to_string();
    let key = RevocationKey::Session { issuer, sid };
    assert!(!store.is_revoked(&[key, key]).await.unwrap());
    after("is_revoked");
    store.read(None, 10).await.unwrap();
    after("read");
    assert_eq!(store.purge_log(HOUR, 10).await.unwrap(), 0);
    after("purge_log");
    assert_eq!(store.purge_sessions(HOUR, 10).await.unwrap(), 0);
    after("purge_sessions");
    let nobody = SessionSelector::ById { id: session("alice").id() };
    assert!(store.end(&nobody, EndReason::Logout).await.unwrap().is_none());
    after("end");
    // This call is the last one because it wakes the watcher.
    assert_eq!(end_all(store, "alice").await.unwrap().len(), 2);
    after("end_batch");
}

#[tokio::test]
async fn every_call_is_one_round_trip() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    // The first calls load the scripts.
    call_everything(&workspace.store, |_| {}).await;
    let proxy = Proxy::start(server.address());
    let store = Workspace::at(&format!("redis://{}/", proxy.address())).await.store;
    // The watcher reads the end of the log once before it waits.
    until("the watcher waits", async || {
        let before = proxy.round_trips();
        tokio::time::sleep(Duration::from_millis(200)).await;
        proxy.connections() == 2 && proxy.round_trips() == before
    })
    .await;
    let mut seen = proxy.round_trips();
    call_everything(&store, |call| {
        let trips = proxy.round_trips();
        let made = trips - std::mem::replace(&mut seen, trips);
        // Ending sessions also wakes the watcher.
        assert!(made == 1 || call == "end_batch", "{call}: {made}");
    })
    .await;
}

#[tokio::test]
async fn scripts_are_loaded_once() {
    let Some(server) = Redis::start(&[]) else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let calls = |command: &str| {
        let stats = server.cli(&["info", "commandstats"]);
        let prefix = format!("cmdstat_{command}:calls=");
        let calls = stats.lines().find_map(|line| line.strip_prefix(&prefix)?.split(',').next());
        calls.map_or(0, |calls| calls.parse::<usize>().unwrap())
    };
    call_everything(&store, |_| {}).await;
    let (snapshot, run) = (calls("script|load"), calls("evalsha"));
    assert!(snapshot <= 13, "{snapshot}");
    for _ in 0..3 {
        call_everything(&store, |_| {}).await;
    }
    assert_eq!(calls("script|load"), snapshot);
    assert!(calls("evalsha") >= run + 33);
    assert_eq!(calls("eval"), 0);
    // The store loads the scripts again if the server has lost them.
    server.cli(&["script", "flush"]);
    call_everything(&store, |_| {}).await;
}

#[tokio::test]
async fn purged_sessions_and_entries_leave_no_keys() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let ago = |mut session: SessionRecord| {
        let long = 100 * 24 * HOUR;
        session.access_until = session.access_until - long;
        session.idle_until = session.idle_until - long;
        Session::from_record(session)
    };
    for subject in ["alice", "bob"] {
        for _ in 0..3 {
            workspace.store.insert(&ago(session(subject).into_record()), ANY).await.unwrap();
        }
    }
    assert_eq!(end_all(&workspace.store, "alice").await.unwrap().len(), 3);
    assert_eq!(workspace.store.purge_sessions(HOUR, 4).await.unwrap(), 4, "no more than the limit");
    assert_eq!(workspace.store.purge_sessions(HOUR, 100).await.unwrap(), 2);
    assert_eq!(workspace.store.purge_log(HOUR, 100).await.unwrap(), 3);
    // The empty log remains, because it holds its last position.
    assert_eq!(workspace.keys(server), ["log", "meta"]);
    assert_eq!(server.cli(&["xlen", &workspace.key("log")]).trim(), "0");
}

#[tokio::test]
async fn an_ended_session_is_removed_from_the_index_of_its_owner() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let one = session("alice");
    workspace.store.insert(&one, ANY).await.unwrap();
    let owner = "owner:22:https://issuer.example:alice";
    assert!(workspace.keys(server).contains(&owner.to_owned()), "{:?}", workspace.keys(server));
    workspace.store.end(&SessionSelector::ById { id: one.id() }, EndReason::Logout).await.unwrap();
    assert!(!workspace.keys(server).contains(&owner.to_owned()));
}

/// Purging uses this index. A time that is too early would remove a live session.
#[tokio::test]
async fn the_expiry_index_follows_every_change_of_a_session() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let store = &workspace.store;
    let ago = |s: &SessionRecord, by: Duration| s.created_at - by;
    let one = altered(|s| {
        s.generation = 4;
        s.idle_until = s.created_at + HOUR;
        s.access_until = ago(s, HOUR);
    });
    let over = async || {
        let score = server.cli(&["zscore", &workspace.key("over"), &one.id().to_string()]);
        (score.trim().parse::<i64>().unwrap(), row(store, &one).await.into_record())
    };
    store.insert(&one, ANY).await.unwrap();
    let (score, parts) = over().await;
    assert_eq!(score, parts.idle_until.unix_millis());

    let step = AdvanceRequest { idle: 3 * HOUR, access_until: ago(&parts, HOUR), ..step(&one) };
    let advanced = store.advance(&step).await.unwrap().unwrap();
    let (score, parts) = over().await;
    assert_eq!(score, parts.idle_until.unix_millis());
    assert!(parts.idle_until >= one.record().idle_until + HOUR);

    let access_until = parts.created_at + 7 * HOUR;
    let retry = LateRetryRequest { access_until, ..retry(&advanced) };
    store.late_retry(&retry).await.unwrap().unwrap();
    assert_eq!(over().await.0, access_until.unix_millis(), "the access token expires later");

    let other = altered(|s| s.access_until = ago(s, HOUR));
    store.insert(&other, ANY).await.unwrap();
    store.end(&SessionSelector::ById { id: other.id() }, EndReason::Logout).await.unwrap();
    let score = server.cli(&["zscore", &workspace.key("over"), &other.id().to_string()]);
    let ended = row(store, &other).await.into_record().ended.unwrap();
    assert_eq!(score.trim(), ended.at.unix_millis().to_string());
}

#[tokio::test]
async fn a_malformed_row_is_an_error_and_nothing_is_written() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let store = &workspace.store;
    let sessions = [session("alice"), session("alice"), session("alice")];
    for session in &sessions {
        store.insert(session, ANY).await.unwrap();
    }
    let odd = &sessions[1];
    let key = workspace.key(&format!("session:{}", odd.id()));
    for (field, good) in [("idle_until", true), ("access_until", true), ("issuer", false)] {
        let kept = server.cli(&["hget", &key, field]);
        if good {
            server.cli(&["hset", &key, field, "soon"]);
        } else {
            server.cli(&["hdel", &key, field]);
        }
        for error in [
            end_all(store, "alice").await.unwrap_err(),
            store.insert(&session("alice"), SessionLimit::end_oldest(1)).await.unwrap_err(),
            list(store, "alice").await.unwrap_err(),
            store.load(odd.id()).await.unwrap_err(),
            store.advance(&step(odd)).await.unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::Corrupt(_)), "{field}: {error:?}");
            assert!(!format!("{error:?}").contains("soon"), "the error must not show the value");
        }
        server.cli(&["hset", &key, field, kept.trim_end()]);
    }
    for session in &sessions {
        assert_eq!(row(store, session).await, *session);
    }
    assert!(read(store, None).await.0.is_empty());

    server.cli(&["set", &key, "theirs"]);
    let error = end_all(store, "alice").await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    assert_eq!(row(store, &sessions[0]).await, sessions[0]);
}

/// Scripts of the server calculate with doubles.
#[tokio::test]
async fn integers_beyond_the_precision_of_a_double_are_exact() {
    let Some((workspace, _)) = Workspace::new().await else { return };
    let store = &workspace.store;
    let far = altered(|s| {
        s.generation = (1 << 53) + 1;
        s.late_retry = Some(LateRetryRun { generation: (1 << 60) + 1, length: u32::MAX });
        s.expires_at = Timestamp::MAX;
        s.created_at = Timestamp::from_unix_millis(-1);
        s.auth_time = Timestamp::from_unix_millis((1 << 53) + 1);
    });
    store.insert(&far, ANY).await.unwrap();
    assert_eq!(row(store, &far).await, far);
    for other in [1 << 53, (1 << 53) + 2] {
        let step = AdvanceRequest { from_generation: other, ..step(&far) };
        assert!(store.advance(&step).await.unwrap().is_none(), "{other} is another generation");
    }
    let step = AdvanceRequest { idle: Duration::MAX, access_until: Timestamp::MAX, ..step(&far) };
    let after = store.advance(&step).await.unwrap().unwrap();
    assert_eq!(after.generation(), (1 << 53) + 2);
    assert_eq!(after.record().idle_until, Timestamp::MAX);
    assert_eq!(after.record().access_until, Timestamp::MAX);
    assert_eq!(row(store, &far).await, after);
    let entry =
        store.end(&SessionSelector::ById { id: far.id() }, EndReason::Logout).await.unwrap();
    assert_eq!(entry.unwrap().until(), Timestamp::MAX);

    let last = altered(|s| s.generation = u64::MAX);
    store.insert(&last, ANY).await.unwrap();
    assert!(
        store.advance(&self::step(&last)).await.unwrap().is_none(),
        "there is no next generation"
    );
    let retried = store.late_retry(&retry(&last)).await.unwrap().unwrap();
    let run = LateRetryRun { generation: u64::MAX - 1, length: 1 };
    assert_eq!(retried.record().late_retry, Some(run));
}

#[tokio::test]
async fn the_late_retry_rule_holds_for_numbers_of_any_length() {
    let Some((workspace, _)) = Workspace::new().await else { return };
    for (granted, retried, is_granted) in [
        (None, 0, true),
        (Some(0), 0, false),
        (Some(1), 0, false),
        (Some(0), 1, false),
        (Some(9), 9, false),
        (Some(9), 10, false),
        (Some(8), 10, true),
        (Some(9), 11, true),
        (Some(10), 11, false),
        (Some(99), 100, false),
        (Some(100), 99, false),
        (Some(1_000), 200, false),
        (Some(200), 1_000, true),
        (Some((1 << 60) - 1), 1 << 60, false),
        (Some((1 << 60) - 2), 1 << 60, true),
    ] {
        let session = altered(|s| {
            s.generation = retried + 1;
            s.late_retry = granted.map(|generation| LateRetryRun { generation, length: 1 });
        });
        workspace.store.insert(&session, ANY).await.unwrap();
        let answer = workspace.store.late_retry(&retry(&session)).await.unwrap();
        assert_eq!(answer.is_some(), is_granted, "{granted:?} {retried}");
    }
}

#[tokio::test]
async fn an_ended_session_can_be_inserted_and_does_not_count() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let store = &workspace.store;
    let ended = altered(|s| {
        let at = s.created_at;
        s.ended = Some(tower_jwt_auth_core::Ended { at, reason: EndReason::Refused });
    });
    store.insert(&ended, ANY).await.unwrap();
    assert_eq!(row(store, &ended).await, ended);
    assert!(!workspace.keys(server).iter().any(|key| key.starts_with("owner:")));
    store.insert(&session("alice"), SessionLimit::reject_new(1)).await.unwrap();
    assert_eq!(end_all(store, "alice").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_limit_of_zero_keeps_the_new_session() {
    let Some((workspace, _)) = Workspace::new().await else { return };
    let store = &workspace.store;
    let (first, second) = (session("alice"), session("alice"));
    store.insert(&first, ANY).await.unwrap();
    assert_eq!(store.insert(&second, SessionLimit::end_oldest(0)).await.unwrap().len(), 1);
    assert_eq!(list(store, "alice").await.unwrap(), [second]);
    let refused = store.insert(&session("bob"), SessionLimit::reject_new(0)).await;
    assert!(matches!(refused, Err(StoreError::Limit)), "{refused:?}");
}
