//! The revocation log.

use super::*;

#[doc(hidden)]
pub async fn the_log_is_read_in_pages_and_followed(store: Store) {
    let issuer = unique("https://pages.example/");
    let until = now(&store).await + HOUR;
    let entry = |n: usize| token(&issuer, &format!("token-{n}"), until);
    let (_, start) = read_all(&store, None, 1000).await;
    let wanted: Vec<_> = (0..25).map(entry).collect();
    for chunk in wanted.chunks(5) {
        let entries: Vec<_> = chunk.iter().cloned().map(LogEntry::Revocation).collect();
        store.append(&entries).await.unwrap();
    }
    let beat = Heartbeat { node: NodeId::random().unwrap(), beat: 1, at: until };
    store.append(&[LogEntry::Heartbeat(beat)]).await.unwrap();

    for limit in [1, 4, 1000] {
        let (seen, _) = read_all(&store, Some(start.clone()), limit).await;
        let seen: HashSet<_> = seen.into_iter().collect();
        assert!(wanted.iter().all(|entry| seen.contains(entry)), "pages of {limit}");
    }
    let (seen, end) = read_all(&store, None, 7).await;
    let seen: HashSet<_> = seen.into_iter().collect();
    assert!(wanted.iter().all(|entry| seen.contains(entry)), "from the start");

    let last = token(&issuer, "the last", until);
    store.append(&[LogEntry::Revocation(last.clone())]).await.unwrap();
    store.append(&[LogEntry::Revocation(last.clone())]).await.unwrap();
    let (seen, _) = read_all(&store, Some(end), 1000).await;
    assert!(seen.contains(&last), "followed from the last cursor");

    let page = store.read(Some(&start), 1000).await.unwrap();
    let LogPage::Entries { entries, .. } = page else { panic!("the cursor is lost") };
    assert!(entries.contains(&LogEntry::Heartbeat(beat)), "heartbeats are read back");
}

#[doc(hidden)]
pub async fn a_cursor_of_another_log_is_lost(store: Store) {
    let foreign = Cursor::new(*b"not a cursor of any existing store");
    assert_eq!(store.read(Some(&foreign), 10).await.unwrap(), LogPage::CursorLost);
    let empty = Cursor::new([]);
    assert_eq!(store.read(Some(&empty), 10).await.unwrap(), LogPage::CursorLost);
}

#[doc(hidden)]
pub async fn a_waiting_reader_is_woken(store: Store) {
    let (_, end) = read_all(&store, None, 1000).await;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.changed(Some(&end)).await }
    });
    let entry = token(&unique("https://wake.example/"), "jti", now(&store).await + HOUR);
    store.append(&[LogEntry::Revocation(entry)]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap().unwrap();
}

#[doc(hidden)]
pub async fn the_log_is_queried_for_each_kind_of_key(store: Store) {
    let issuer = &*unique("https://keys.example/");
    let now = now(&store).await.floor_to_second();
    let until = now + HOUR;
    let session = insert(&store, |s| s.issuer = issuer.into()).await;
    store.end(&SessionSelector::ById { id: session.id() }, EndReason::Logout).await.unwrap();
    let subject =
        Revocation::Subject { issuer: issuer.into(), sub: "bob".into(), issued_before: now, until };
    let entries = [token(issuer, "spent", until), subject].map(LogEntry::Revocation);
    store.append(&entries).await.unwrap();

    let sid = &*session.id().to_string();
    let earlier = now - Duration::from_secs(1);
    let revoked = [
        RevocationKey::Token { issuer, jti: "spent" },
        RevocationKey::Session { issuer, sid },
        RevocationKey::Subject { issuer, sub: "bob", issued_at: earlier },
    ];
    let not_revoked = [
        RevocationKey::Token { issuer, jti: "other" },
        RevocationKey::Token { issuer, jti: sid },
        RevocationKey::Token { issuer: "https://other.example", jti: "spent" },
        RevocationKey::Session { issuer, sid: "spent" },
        RevocationKey::Session { issuer: "https://other.example", sid },
        RevocationKey::Subject { issuer, sub: "bob", issued_at: now },
        RevocationKey::Subject { issuer, sub: "alice", issued_at: earlier },
    ];
    for key in revoked {
        assert!(store.is_revoked(&[key]).await.unwrap(), "{key:?}");
        assert!(store.is_revoked(&[not_revoked[0], key]).await.unwrap(), "any of several: {key:?}");
    }
    for key in not_revoked {
        assert!(!store.is_revoked(&[key]).await.unwrap(), "{key:?}");
    }
    assert!(!store.is_revoked(&not_revoked).await.unwrap());
    assert!(!store.is_revoked(&[]).await.unwrap());
}

#[doc(hidden)]
pub async fn purging_the_log_keeps_entries_still_needed(store: Store) {
    let issuer = &*unique("https://purge.example/");
    let now = now(&store).await;
    let long_ago = now - 1000 * 24 * HOUR;
    let (_, start) = read_all(&store, None, 1000).await;
    let entries = [
        token(issuer, "old", long_ago),
        token(issuer, "both", long_ago),
        token(issuer, "both", now + HOUR),
        token(issuer, "new", now + HOUR),
    ];
    store.append(&entries.map(LogEntry::Revocation)).await.unwrap();
    let (_, end) = read_all(&store, Some(start.clone()), 1000).await;

    let older_than = 900 * 24 * HOUR;
    assert_eq!(store.purge_log(older_than, 0).await.unwrap(), 0, "at most the requested number");
    while store.purge_log(older_than, 10).await.unwrap() > 0 {}
    let revoked =
        async |jti| store.is_revoked(&[RevocationKey::Token { issuer, jti }]).await.unwrap();
    assert!(!revoked("old").await);
    assert!(revoked("both").await, "the purge of an entry keeps a later one for the same target");
    assert!(revoked("new").await);

    let last = token(issuer, "last", now + HOUR);
    store.append(&[LogEntry::Revocation(last.clone())]).await.unwrap();
    for cursor in [start, end] {
        let (seen, _) = read_all(&store, Some(cursor), 1000).await;
        assert!(seen.contains(&last), "cursors stay valid");
    }
}

#[doc(hidden)]
pub async fn many_writers_lose_no_entry(store: Store) {
    let issuer = unique("https://writers.example/");
    let until = now(&store).await + HOUR;
    let (_, start) = read_all(&store, None, 1000).await;
    let mut writers = Vec::new();
    for writer in 0..8 {
        let (store, issuer) = (store.clone(), issuer.clone());
        writers.push(tokio::spawn(async move {
            for n in 0..25 {
                let entry = token(&issuer, &format!("{writer}-{n}"), until);
                store.append(&[LogEntry::Revocation(entry)]).await.unwrap();
            }
        }));
    }
    let is_theirs = |entry: &Revocation| matches!(entry, Revocation::Token { issuer: other, .. } if *other == issuer);
    // The reader follows the log while the writers append.
    let mut seen = HashSet::new();
    let mut cursor = start;
    while writers.iter().any(|writer| !writer.is_finished()) {
        let (entries, next) = read_all(&store, Some(cursor), 10).await;
        seen.extend(entries);
        cursor = next;
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while seen.len() < 200 && tokio::time::Instant::now() < deadline {
        let (entries, next) = read_all(&store, Some(cursor), 10).await;
        seen.extend(entries.into_iter().filter(is_theirs));
        cursor = next;
    }
    seen.retain(is_theirs);
    assert_eq!(seen.len(), 200);
}
