//! The insertion of sessions, and the limit.

use super::*;

#[doc(hidden)]
pub async fn a_session_is_read_back_with_every_field(store: Store) {
    let now = now(&store).await;
    let full = session(now, |s| {
        s.generation = 7;
        s.late_retry = Some(LateRetryRun { generation: 3, length: 2 });
        s.created_at = now - HOUR;
        s.rotated_at = now - Duration::from_millis(1234);
        s.auth_time = now - Duration::from_millis(3_599_001);
        s.client_info =
            ClientInfo::default().with_user_agent("Möz/5.0 'x'").with_address("2001:db8::1");
    });
    store.insert(&full, NO_LIMIT).await.unwrap();
    let snapshot = store.load(full.id()).await.unwrap().unwrap();
    assert_eq!(snapshot.session, full);
    assert!(snapshot.now >= now, "the store's time does not go back");
    assert!(snapshot.now.since(now) < HOUR);

    let bare = session(now, |s| {
        s.client_id = String::new();
        s.scope = String::new();
        s.claims = "{}".into();
    });
    store.insert(&bare, NO_LIMIT).await.unwrap();
    assert_eq!(load(&store, bare.id()).await, bare);
}

#[doc(hidden)]
pub async fn texts_of_any_characters_are_returned_unchanged(store: Store) {
    for odd in ["a\0b", "\0", "\\", "\\0", "\\\\0\0", "'\"%_\n\r\u{7f}\u{1f600}", &"é".repeat(2000)]
    {
        let session = insert(&store, |s| {
            for text in [&mut s.issuer, &mut s.subject, &mut s.client_id, &mut s.scope] {
                text.push_str(odd);
            }
            s.claims = format!("{{\"name\":\"{}\"}}", "x".repeat(odd.len()));
            s.client_info = ClientInfo::default().with_user_agent(odd).with_address(odd);
        })
        .await;
        assert_eq!(load(&store, session.id()).await, session, "{odd:?}");
        let issuer = &*session.record().issuer;
        let listed = list(&store, &session).await;
        assert_eq!(listed, std::slice::from_ref(&session), "{odd:?}");

        let (_, start) = read_all(&store, None, 1000).await;
        let until = now(&store).await + HOUR;
        let revocation = token(issuer, odd, until);
        store.append(&[LogEntry::Revocation(revocation.clone())]).await.unwrap();
        let ended = end_all(&store, &session, None, 100).await;
        assert_eq!(ended, [session.record().revocation()], "{odd:?}");
        let (seen, _) = read_all(&store, Some(start), 1000).await;
        assert!(seen.contains(&revocation) && seen.contains(&ended[0]), "{odd:?}");
        let key = RevocationKey::Token { issuer, jti: odd };
        assert!(store.is_revoked(&[key]).await.unwrap(), "{odd:?}");
    }
}

#[doc(hidden)]
pub async fn an_unknown_session_is_not_found(store: Store) {
    let unknown = session(now(&store).await, |s| s.generation = 1);
    assert!(store.load(unknown.id()).await.unwrap().is_none());
    assert!(store.advance(&advance_request(&unknown)).await.unwrap().is_none());
    assert!(store.late_retry(&late_retry_request(&unknown)).await.unwrap().is_none());
    let selector = SessionSelector::ById { id: unknown.id() };
    assert!(store.end(&selector, EndReason::Logout).await.unwrap().is_none());
    assert!(list(&store, &unknown).await.is_empty());
    assert!(end_all(&store, &unknown, None, 100).await.is_empty());
}

#[doc(hidden)]
pub async fn a_taken_id_is_a_conflict_and_changes_nothing(store: Store) {
    let first = insert(&store, |_| {}).await;
    let second = insert(&store, |_| {}).await;
    let mut record = second.clone().into_record();
    record.id = first.id();
    let taken = store.insert(&Session::from_record(record), NO_LIMIT).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    assert_eq!(load(&store, first.id()).await, first);
    assert_eq!(list(&store, &second).await, std::slice::from_ref(&second));
}

#[doc(hidden)]
pub async fn a_limit_that_rejects_counts_live_sessions_of_the_subject(store: Store) {
    let [first, second, _, _] = insert_neighbours(&store).await;
    let idle = beside(&first, HOUR);
    let mut record = idle.into_record();
    record.idle_until = record.rotated_at - HOUR;
    store.insert(&Session::from_record(record), NO_LIMIT).await.unwrap();

    let third = beside(&first, HOUR);
    let rejected = store.insert(&third, SessionLimit::reject_new(2)).await;
    assert!(matches!(rejected, Err(StoreError::Limit)), "{rejected:?}");
    assert!(store.load(third.id()).await.unwrap().is_none(), "nothing was added");
    store.end(&SessionSelector::ById { id: second.id() }, EndReason::Logout).await.unwrap();
    assert!(store.insert(&third, SessionLimit::reject_new(2)).await.unwrap().is_empty());
    assert_eq!(load(&store, first.id()).await, first);
}

#[doc(hidden)]
pub async fn a_limit_that_ends_ends_the_oldest_and_never_the_new_one(store: Store) {
    let [first, second, stranger, namesake] = insert_neighbours(&store).await;
    // The node that starts this session and the next one has a clock that is behind. They are newer all the same.
    let mut record = beside(&first, HOUR).into_record();
    record.created_at = record.created_at - 3 * HOUR;
    let third = Session::from_record(record);
    store.insert(&third, NO_LIMIT).await.unwrap();
    let mut record = beside(&first, HOUR).into_record();
    record.created_at = record.created_at - 2 * HOUR;
    let new = Session::from_record(record);
    let (_, end) = read_all(&store, None, 1000).await;
    let ended = store.insert(&new, SessionLimit::end_oldest(2)).await.unwrap();
    assert_eq!(ended.len(), 2);
    let (seen, _) = read_all(&store, Some(end), 1000).await;
    assert!(ended.iter().all(|entry| seen.contains(entry)), "the revocations are in the log");
    for over in [first, second] {
        let ended = load(&store, over.id()).await.into_record().ended.unwrap();
        assert_eq!(ended.reason, EndReason::Limit);
    }
    for kept in [&third, &new, &stranger, &namesake] {
        assert_eq!(load(&store, kept.id()).await, *kept);
    }
}

#[doc(hidden)]
pub async fn many_concurrent_sign_ins_keep_to_the_limit(store: Store) {
    for (limit, succeed) in [(SessionLimit::end_oldest(3), 20), (SessionLimit::reject_new(3), 3)] {
        let first = session(now(&store).await, |_| {});
        let mut racing = Vec::new();
        for _ in 0..20 {
            let (store, new) = (store.clone(), beside(&first, Duration::ZERO));
            racing.push(tokio::spawn(async move { store.insert(&new, limit).await.is_ok() }));
        }
        let mut succeeded = 0;
        for racer in racing {
            succeeded += usize::from(racer.await.unwrap());
        }
        assert_eq!(succeeded, succeed);
        assert_eq!(list(&store, &first).await.len(), 3);
    }
}

#[doc(hidden)]
pub async fn a_limit_introduced_later_is_reached_in_bounded_steps(store: Store) {
    let first = insert(&store, |_| {}).await;
    for _ in 0..SessionLimit::MAX_ENDED + 10 {
        store.insert(&beside(&first, HOUR), NO_LIMIT).await.unwrap();
    }
    let before = list(&store, &first).await;
    let limit = SessionLimit::end_oldest(2);
    let ended = store.insert(&beside(&first, HOUR), limit).await.unwrap();
    let oldest = before[..SessionLimit::MAX_ENDED].iter().map(|s| s.record().revocation());
    assert_eq!(ended, oldest.collect::<Vec<_>>());
    store.insert(&beside(&first, HOUR), limit).await.unwrap();
    assert_eq!(list(&store, &first).await.len(), 2);
}
