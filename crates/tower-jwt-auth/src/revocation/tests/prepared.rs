//! Lookups of prepared keys, which are skipped while the list does not change.

use super::super::PreparedKeys;
use super::*;

const ISSUED: Timestamp = Timestamp::from_unix_seconds(1_699_999_000);

fn cache() -> RevocationCache {
    RevocationCache::new(100, Arc::new(ManualClock::at(NOW))).unwrap()
}

fn subject(issued_before: Timestamp, until: Timestamp) -> Revocation {
    Revocation::Subject { issuer: "i".into(), sub: "bob".into(), issued_before, until }
}

#[test]
fn only_an_insert_that_changes_the_list_raises_the_revision() {
    let cache = cache();
    let raises = |revocation: &Revocation| {
        let before = cache.revision();
        cache.insert(revocation);
        cache.revision() != before
    };
    let later = NOW + 2 * MINUTE;
    for (revocation, expected) in [
        (token("x", NOW + MINUTE), true),
        // A full resync inserts every entry again.
        (token("x", NOW + MINUTE), false),
        (token("x", NOW), false),
        (token("y", NOW + MINUTE), true),
        (token("expired", NOW - RETENTION), false),
        (Revocation::Session { issuer: "i".into(), sid: "x".into(), until: NOW + MINUTE }, true),
        (subject(NOW, later), true),
        (subject(NOW, later), false),
        (subject(NOW - MINUTE, NOW + MINUTE), false),
        (subject(NOW + MINUTE, NOW + MINUTE), true),
        (subject(NOW, later + MINUTE), true),
        (subject(NOW + MINUTE, later + MINUTE), false),
    ] {
        assert_eq!(raises(&revocation), expected, "{revocation:?}");
    }
}

#[test]
fn prepared_keys_are_those_of_the_token() {
    let keys = [
        RevocationKey::Token { issuer: "i", jti: "t" },
        RevocationKey::Session { issuer: "i", sid: "s" },
        RevocationKey::Subject { issuer: "i", sub: "bob", issued_at: ISSUED },
    ];
    for (revocation, is_revoked) in [
        (token("t", NOW), true),
        (token("s", NOW), false),
        (Revocation::Session { issuer: "i".into(), sid: "s".into(), until: NOW }, true),
        (Revocation::Session { issuer: "j".into(), sid: "s".into(), until: NOW }, false),
        (subject(ISSUED + MINUTE, NOW), true),
        (subject(ISSUED, NOW), false),
    ] {
        let cache = cache();
        let targets = cache.targets(keys.into_iter());
        assert!(!cache.contains_any(&targets));
        cache.insert(&revocation);
        assert_eq!(cache.contains_any(&targets), is_revoked, "{revocation:?}");
    }
}

fn status(list: &RevocationList, keys: &PreparedKeys) -> RevocationStatus {
    list.lookup_prepared(keys, MINUTE, now())
}

#[tokio::test]
async fn a_key_that_was_clear_is_found_once_it_is_revoked() {
    let store = Arc::new(MemoryStore::new());
    let list = follow(store.clone(), SyncOptions::default());
    let x = list.prepare([key("x")].into_iter());
    assert_eq!(status(&list, &x), RevocationStatus::Unknown, "the list is not ready");
    list.ready().await;
    let y = list.prepare([key("y")].into_iter());
    for keys in [&x, &y, &x, &y] {
        assert_eq!(status(&list, keys), RevocationStatus::NotRevoked);
    }
    list.revoke(token("x", now() + MINUTE)).await.unwrap();
    assert_eq!(status(&list, &x), RevocationStatus::Revoked);
    assert_eq!(status(&list, &x), RevocationStatus::Revoked, "it stays revoked");
    assert_eq!(status(&list, &y), RevocationStatus::NotRevoked);
    // Another node revokes it.
    store.append(&[LogEntry::Revocation(token("y", now() + MINUTE))]).await.unwrap();
    until("the entry is followed", || status(&list, &y) == RevocationStatus::Revoked).await;
}

#[tokio::test]
async fn a_look_up_that_is_skipped_is_judged_by_the_staleness_of_now() {
    let list = follow(MemoryStore::new(), SyncOptions::default());
    list.ready().await;
    let x = list.prepare([key("x")].into_iter());
    assert_eq!(status(&list, &x), RevocationStatus::NotRevoked);
    let later = now() + 2 * MINUTE;
    assert_eq!(list.lookup_prepared(&x, MINUTE, later), RevocationStatus::Unknown);
    assert_eq!(status(&list, &x), RevocationStatus::NotRevoked);
}

/// Two threads: one revokes, and one looks up without a pause. An acknowledged revocation is never missed.
#[tokio::test]
async fn a_revocation_is_seen_by_the_lookups_after_it() {
    let list = follow(MemoryStore::new(), SyncOptions::default());
    list.ready().await;
    for round in 0..2000 {
        let id = format!("t{round}");
        let keys = list.prepare([key(&id)].into_iter());
        let is_acknowledged = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                list.record(&[token(&id, now() + MINUTE)]);
                is_acknowledged.store(true, Ordering::Release);
            });
            loop {
                let must_be_found = is_acknowledged.load(Ordering::Acquire);
                if list.lookup_prepared(&keys, MINUTE, now()) == RevocationStatus::Revoked {
                    break;
                }
                assert!(!must_be_found, "round {round}");
            }
        });
    }
}

/// Two writers of one target, such as a logout and the follower: also the one that finds the entry of the other returns
/// after the revision was raised.
#[test]
fn no_writer_returns_before_the_revision_is_raised() {
    let cache = cache();
    let start = std::sync::Barrier::new(2);
    let is_late = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 0..20_000 {
                    let sub = format!("s{round}");
                    let until = NOW + MINUTE;
                    let revocation =
                        Revocation::Subject { issuer: "i".into(), sub, issued_before: NOW, until };
                    start.wait();
                    let before = cache.revision();
                    start.wait();
                    cache.insert(&revocation);
                    is_late.fetch_or(cache.revision() == before, Ordering::SeqCst);
                }
            });
        }
    });
    assert!(!is_late.load(Ordering::SeqCst));
}

#[tokio::test]
async fn without_a_log_prepared_keys_are_not_revoked() {
    let list = RevocationList::none();
    let keys = list.prepare([key("x")].into_iter());
    assert_eq!(list.lookup_prepared(&keys, Duration::ZERO, NOW), RevocationStatus::NotRevoked);
}
