use std::time::{Duration, Instant};

use tower_jwt_auth_core::{
    Cursor, Heartbeat, LogEntry, LogPage, NodeId, Revocation, RevocationKey, RevocationLog,
    Timestamp,
};
use tower_jwt_auth_tests::util::until;

use super::Workspace;
use crate::support::{HOUR, is_lost, read, revocation, revoke};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> Timestamp {
    std::time::SystemTime::now().into()
}

fn token(jti: &str, until: Timestamp) -> Revocation {
    Revocation::Token { issuer: "https://issuer.example".into(), jti: jti.into(), until }
}

async fn append(log: &impl RevocationLog, revocation: &Revocation) {
    log.append(&[LogEntry::Revocation(revocation.clone())]).await.unwrap();
}

async fn has(log: &impl RevocationLog, jti: &str) -> bool {
    let key = RevocationKey::Token { issuer: "https://issuer.example", jti };
    log.is_revoked(&[key]).await.unwrap()
}

async fn heartbeats(log: &impl RevocationLog, after: Option<&Cursor>) -> Vec<Heartbeat> {
    let page = log.read(after, 100).await.unwrap();
    let LogPage::Entries { entries, more: false, .. } = page else { panic!("{page:?}") };
    let beats = entries.into_iter().filter_map(|entry| match entry {
        LogEntry::Heartbeat(heartbeat) => Some(heartbeat),
        LogEntry::Revocation(_) => None,
    });
    beats.collect()
}

#[tokio::test]
async fn purging_removes_exactly_the_entries_that_expired_long_enough_ago() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let log = &workspace.store;
    for (jti, ago) in [("a", 5), ("b", 4), ("c", 3), ("d", 2), ("e", 1)] {
        append(log, &token(jti, now() - ago * DAY)).await;
    }
    append(log, &token("f", now() + DAY)).await;
    let (_, end) = read(log, None).await;
    let length = || server.cli(&["xlen", &workspace.key("log")]).trim().to_owned();

    assert_eq!(
        log.purge_log(2 * DAY + HOUR, 2).await.unwrap(),
        2,
        "the oldest entries, up to the limit"
    );
    assert_eq!(length(), "4");
    assert!(!has(log, "a").await && !has(log, "b").await && has(log, "c").await);
    assert_eq!(log.purge_log(2 * DAY + HOUR, 100).await.unwrap(), 1);
    assert!(!has(log, "c").await && has(log, "d").await);
    assert_eq!(log.purge_log(2 * DAY + HOUR, 100).await.unwrap(), 0);
    assert_eq!(log.purge_log(Duration::MAX, 100).await.unwrap(), 0);
    assert_eq!(log.purge_log(Duration::ZERO, usize::MAX).await.unwrap(), 2);
    assert!(has(log, "f").await);
    assert_eq!(
        (length(), workspace.keys(server).len()),
        ("1".into(), 4),
        "all keys of the purged entries are removed"
    );

    append(log, &token("g", now() + DAY)).await;
    assert_eq!(read(log, Some(end)).await.0.len(), 1, "the cursor is still valid");
}

/// With one `until` for two entries of a target, a purge would remove the longer one, or keep both indefinitely.
#[tokio::test]
async fn of_several_entries_for_a_target_the_latest_times_count() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let log = &workspace.store;
    let issuer = "https://login.example";
    let start = now().floor_to_second();
    let subject = |before: u64, until: Timestamp| Revocation::Subject {
        issuer: issuer.into(),
        sub: "bob".into(),
        issued_before: start + Duration::from_secs(before),
        until,
    };
    let is_revoked = async |issued: u64| {
        let issued_at = start + Duration::from_secs(issued);
        let key = RevocationKey::Subject { issuer, sub: "bob", issued_at };
        log.is_revoked(&[key]).await.unwrap()
    };
    append(log, &subject(100, start - DAY)).await;
    append(log, &subject(50, start + DAY)).await;
    assert!(is_revoked(99).await && !is_revoked(100).await);
    assert_eq!(log.purge_log(Duration::ZERO, 10).await.unwrap(), 1);
    assert!(is_revoked(49).await, "the entry with the later expiry is kept");

    append(log, &token("both", start + DAY)).await;
    append(log, &token("both", start - DAY)).await;
    assert_eq!(log.purge_log(Duration::ZERO, 10).await.unwrap(), 1);
    assert!(has(log, "both").await);
    assert_eq!(server.cli(&["hlen", &workspace.key("revoked")]).trim(), "2");
}

/// Without its length in the key, the issuer could not be separated from the id.
#[tokio::test]
async fn a_target_id_is_separated_from_its_issuer() {
    let Some((workspace, _)) = Workspace::new().await else { return };
    let until = now() + DAY;
    let revoked = Revocation::Token { issuer: "a:b".into(), jti: "c".into(), until };
    append(&workspace.store, &revoked).await;
    for (issuer, jti) in [("a", "b:c"), ("a:b:c", ""), ("", "a:b:c"), ("a:b", "c:")] {
        let key = RevocationKey::Token { issuer, jti };
        assert!(!workspace.store.is_revoked(&[key]).await.unwrap(), "{issuer} {jti}");
    }
    let key = RevocationKey::Token { issuer: "a:b", jti: "c" };
    assert!(workspace.store.is_revoked(&[key]).await.unwrap());
}

#[tokio::test]
async fn extreme_times_are_preserved() {
    let Some((workspace, _)) = Workspace::new().await else { return };
    let times = [Timestamp::MAX, Timestamp::from_unix_millis(i64::MIN), Timestamp::UNIX_EPOCH];
    for until in times {
        append(&workspace.store, &token("token", until)).await;
    }
    let (read, _) = read(&workspace.store, None).await;
    assert_eq!(read.iter().map(Revocation::until).collect::<Vec<_>>(), times);
}

#[tokio::test]
async fn a_heartbeat_is_not_a_log_entry_and_wakes_no_reader() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let log = &workspace.store;
    let (one, other) = (NodeId::random().unwrap(), NodeId::random().unwrap());
    let beat = |node, beat, ago| Heartbeat { node, beat, at: now() - ago };
    let (_, end) = read(log, None).await;
    // The watcher wakes the reader once when it starts.
    log.changed(Some(&end)).await.unwrap();
    let (_, end) = read(log, None).await;
    for heartbeat in [beat(one, 9, DAY), beat(other, 7, 3 * DAY), beat(one, 10, 2 * DAY)] {
        log.append(&[LogEntry::Heartbeat(heartbeat)]).await.unwrap();
    }
    let waiting = tokio::time::timeout(Duration::from_millis(300), log.changed(Some(&end)));
    assert!(waiting.await.is_err(), "a heartbeat must not wake a reader");
    assert_eq!(server.cli(&["exists", &workspace.key("log")]).trim(), "0");

    // This heartbeat was delayed on its way.
    log.append(&[LogEntry::Heartbeat(beat(one, 9, Duration::ZERO))]).await.unwrap();
    let mut seen: Vec<_> = heartbeats(log, Some(&end)).await;
    seen.sort_by_key(|heartbeat| heartbeat.beat);
    assert_eq!(seen.iter().map(|beat| beat.beat).collect::<Vec<_>>(), [7, 10]);

    assert_eq!(log.purge_log(2 * DAY + HOUR, 10).await.unwrap(), 1, "the heartbeat counts");
    let third = beat(NodeId::random().unwrap(), 1, 2 * DAY);
    log.append(&[LogEntry::Heartbeat(third)]).await.unwrap();
    assert_eq!(log.purge_log(DAY, 1).await.unwrap(), 1, "no more than the limit");
    assert_eq!(heartbeats(log, None).await.len(), 1);
    assert_eq!(log.purge_log(DAY, 10).await.unwrap(), 1);
    assert!(heartbeats(log, None).await.is_empty());
}

#[tokio::test]
async fn only_the_last_page_contains_heartbeats() {
    let Some((workspace, _)) = Workspace::new().await else { return };
    let beat = Heartbeat { node: NodeId::random().unwrap(), beat: u64::MAX, at: now() };
    workspace.store.append(&[LogEntry::Heartbeat(beat)]).await.unwrap();
    let all = [revoke(&workspace.store).await, revoke(&workspace.store).await];
    let page = workspace.store.read(None, 1).await.unwrap();
    let LogPage::Entries { entries, next, more: true } = page else { panic!("{page:?}") };
    assert_eq!(entries, [LogEntry::Revocation(all[0].clone())]);
    let page = workspace.store.read(Some(&next), 1).await.unwrap();
    let LogPage::Entries { entries, more: false, .. } = page else { panic!("{page:?}") };
    assert_eq!(entries, [LogEntry::Revocation(all[1].clone()), LogEntry::Heartbeat(beat)]);
}

#[tokio::test]
async fn many_entries_can_be_appended_at_once() {
    let Some((workspace, _)) = Workspace::new().await else { return };
    let entries = [(); 30].map(|()| LogEntry::Revocation(revocation()));
    workspace.store.append(&entries).await.unwrap();
    workspace.store.append(&[]).await.unwrap();
    assert_eq!(read(&workspace.store, None).await.0.len(), 30);
}

/// The wakeup comes sooner than the poll every second.
#[tokio::test]
async fn a_write_by_another_node_wakes_a_waiting_reader() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let other = workspace.another_node(&server.url()).await;
    let woken = until("the reader is woken at once", async || {
        let (_, end) = read(&workspace.store, None).await;
        let begun = Instant::now();
        let (changed, _) = tokio::join!(workspace.store.changed(Some(&end)), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            revoke(&other).await;
        });
        changed.unwrap();
        let waited = begun.elapsed();
        (Duration::from_millis(100)..Duration::from_millis(600)).contains(&waited)
    });
    // An attempt without a wakeup takes a second.
    tokio::time::timeout(Duration::from_secs(30), woken).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_is_not_woken_polls() {
    let Some((workspace, _)) = Workspace::new().await else { return };
    until("the reader waits for a second", async || {
        let (_, end) = read(&workspace.store, None).await;
        let begun = Instant::now();
        let waiting =
            tokio::time::timeout(Duration::from_secs(20), workspace.store.changed(Some(&end)));
        waiting.await.unwrap().unwrap();
        begun.elapsed() >= Duration::from_millis(900)
    })
    .await;
}

#[tokio::test]
async fn a_removed_or_truncated_log_loses_cursors() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    for what in ["log", "meta"] {
        revoke(&workspace.store).await;
        let (_, end) = read(&workspace.store, None).await;
        assert!(!is_lost(&workspace.store, &end).await);
        server.cli(&["del", &workspace.key(what)]);
        assert!(is_lost(&workspace.store, &end).await, "{what}");
        let (_, end) = read(&workspace.store, None).await;
        let later = revoke(&workspace.store).await;
        assert_eq!(read(&workspace.store, Some(end)).await.0, [later], "the new cursor is valid");
    }
}

#[tokio::test]
async fn log_entries_of_version_1_are_read_and_purged() {
    let Some((workspace, server)) = Workspace::new().await else { return };
    let [meta, log, until, revoked, beats] =
        ["meta", "log", "until", "revoked", "beats"].map(|name| workspace.key(name));
    let issuer = "https://issuer.example";
    let over = now() - DAY;
    let time = &*over.unix_millis().to_string();
    server.cli(&["hset", &meta, "version", "1", "marks", "7"]);
    server.cli(&["hset", &beats, &NodeId::random().unwrap().to_string(), "1:5"]);
    for (id, kind, name) in
        [("1-1", "token", "a"), ("1-2", "session", "b"), ("1-3", "subject", "c")]
    {
        let entry = ["xadd", &log, id, "kind", kind, "issuer", issuer, "name", name, "until", time];
        let more: &[&str] = if kind == "subject" { &["issued_before", time] } else { &[] };
        server.cli(&[&entry, more].concat());
        server.cli(&["zadd", &until, time, id]);
        let value = if kind == "subject" { format!("{time} {time}") } else { time.to_owned() };
        server.cli(&["hset", &revoked, &format!("{kind}:22:{issuer}:{name}"), &value]);
    }

    let store = workspace.another_node(&server.url()).await;
    assert_eq!(server.cli(&["hget", &meta, "version"]).trim(), "2");
    assert_eq!(server.cli(&["hexists", &meta, "marks"]).trim(), "0");
    let later = revoke(&store).await;
    let issuer = issuer.to_owned();
    let all = [
        Revocation::Token { issuer: issuer.clone(), jti: "a".into(), until: over },
        Revocation::Session { issuer: issuer.clone(), sid: "b".into(), until: over },
        Revocation::Subject { issuer, sub: "c".into(), issued_before: over, until: over },
        later,
    ];
    assert_eq!(read(&store, None).await.0, all);
    assert!(has(&store, "a").await);
    assert_eq!(store.purge_log(HOUR, 10).await.unwrap(), 3);
    assert!(!has(&store, "a").await);
    assert_eq!(read(&store, None).await.0, all[3..]);
    assert_eq!(server.cli(&["hlen", &revoked]).trim(), "1");
    assert_eq!(workspace.keys(server), ["log", "meta", "revoked", "until"]);
}
