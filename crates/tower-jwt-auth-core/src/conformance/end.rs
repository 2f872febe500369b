//! The end of sessions.

use super::*;

#[doc(hidden)]
pub async fn ending_appends_an_entry_until_the_last_access_token(store: Store) {
    let session = insert(&store, |_| {}).await;
    let (_, end) = read_all(&store, None, 1000).await;
    let selector = SessionSelector::ById { id: session.id() };
    let entry = store.end(&selector, EndReason::Logout).await.unwrap();
    let expected = Revocation::Session {
        issuer: session.record().issuer.clone(),
        sid: session.id().to_string(),
        until: session.record().access_until,
    };
    assert_eq!(entry.as_ref(), Some(&expected));
    let (seen, _) = read_all(&store, Some(end), 1000).await;
    assert!(seen.contains(&expected), "{seen:?}");
    let ended = load(&store, session.id()).await.into_record().ended.unwrap();
    assert_eq!(ended.reason, EndReason::Logout);
    assert!(ended.at >= session.created_at());
}

#[doc(hidden)]
pub async fn ending_twice_returns_one_entry(store: Store) {
    let session = insert(&store, |_| {}).await;
    let selector = SessionSelector::ById { id: session.id() };
    assert!(store.end(&selector, EndReason::Logout).await.unwrap().is_some());
    let first = load(&store, session.id()).await;
    assert!(store.end(&selector, EndReason::Reuse).await.unwrap().is_none());
    assert_eq!(load(&store, session.id()).await, first, "the first reason stays");
}

#[doc(hidden)]
pub async fn ending_an_expired_session_still_revokes_its_access_tokens(store: Store) {
    let session = insert(&store, |s| s.idle_until = s.rotated_at - HOUR).await;
    let selector = SessionSelector::ById { id: session.id() };
    let entry = store.end(&selector, EndReason::Logout).await.unwrap().unwrap();
    assert_eq!(entry.until(), session.record().access_until);
}

#[doc(hidden)]
pub async fn ending_by_a_presented_token_needs_the_sessions_secret(store: Store) {
    let session = insert(&store, |_| {}).await;
    let forged = SessionSelector::ByToken { id: session.id(), secret_hash: OTHER_HASH };
    assert!(store.end(&forged, EndReason::Logout).await.unwrap().is_none());
    assert_eq!(load(&store, session.id()).await, session);
    let own = SessionSelector::ByToken { id: session.id(), secret_hash: HASH };
    assert!(store.end(&own, EndReason::Logout).await.unwrap().is_some());
}

#[doc(hidden)]
pub async fn ending_reaches_only_the_subjects_own_sessions(store: Store) {
    let [first, second, stranger, namesake] = insert_neighbours(&store).await;
    let (issuer, subject) = (&*first.record().issuer, first.subject());

    let not_theirs = SessionSelector::Owned { issuer, subject, id: stranger.id() };
    assert!(store.end(&not_theirs, EndReason::Logout).await.unwrap().is_none());
    let theirs = SessionSelector::Owned { issuer, subject, id: second.id() };
    assert!(store.end(&theirs, EndReason::Logout).await.unwrap().is_some());
    assert_eq!(load(&store, first.id()).await, first);

    assert_eq!(end_all(&store, &first, None, 100).await.len(), 1, "one session was left");
    assert!(load(&store, first.id()).await.record().ended.is_some());
    assert_eq!(load(&store, stranger.id()).await, stranger);
    assert_eq!(load(&store, namesake.id()).await, namesake);
}

#[doc(hidden)]
pub async fn ending_all_others_keeps_one(store: Store) {
    let [first, second, stranger, namesake] = insert_neighbours(&store).await;
    let ended = end_all(&store, &first, Some(first.id()), 100).await;
    assert_eq!(ended, [second.record().revocation()]);
    assert!(load(&store, second.id()).await.record().ended.is_some());
    for kept in [&first, &stranger, &namesake] {
        assert_eq!(load(&store, kept.id()).await, *kept);
    }
}

#[doc(hidden)]
pub async fn many_sessions_are_ended_in_batches_the_oldest_first(store: Store) {
    let first = insert(&store, |_| {}).await;
    let mut sessions = vec![first.clone()];
    for _ in 0..6 {
        let next = beside(&first, HOUR);
        store.insert(&next, NO_LIMIT).await.unwrap();
        sessions.push(next);
    }
    let (_, end) = read_all(&store, None, 1000).await;
    let (issuer, subject) = (&*first.record().issuer, first.subject());
    let reason = EndReason::Logout;
    let mut batch =
        EndBatch { issuer, subject, keep: None, after: None, through: None, limit: 3, reason };
    let first_batch = store.end_batch(&batch).await.unwrap();
    assert!(!first_batch.revocations.is_empty() && first_batch.revocations.len() <= 3);

    // A session that starts between two batches does not end.
    let later = beside(&first, HOUR);
    store.insert(&later, NO_LIMIT).await.unwrap();
    let mut revocations = first_batch.revocations;
    (batch.after, batch.through) = (first_batch.next, Some(first_batch.through));
    while batch.after.is_some() {
        let more = store.end_batch(&batch).await.unwrap();
        assert!(more.revocations.len() <= 3);
        assert_eq!(Some(more.through), batch.through);
        revocations.extend(more.revocations);
        batch.after = more.next;
    }
    let expected: Vec<_> = sessions.iter().map(|s| s.record().revocation()).collect();
    assert_eq!(revocations, expected);
    let (seen, _) = read_all(&store, Some(end), 1000).await;
    assert!(expected.iter().all(|entry| seen.contains(entry)), "the revocations are in the log");
    for session in &sessions {
        let ended = load(&store, session.id()).await.into_record().ended;
        assert_eq!(ended.map(|ended| ended.reason), Some(reason));
    }
    assert_eq!(load(&store, later.id()).await, later);
}

/// This holds even if the last row of the store is purged in between, so that its position could be reused.
#[doc(hidden)]
pub async fn a_session_that_is_added_between_two_batches_does_not_end(store: Store) {
    let first = insert(&store, |_| {}).await;
    store.insert(&beside(&first, HOUR), NO_LIMIT).await.unwrap();
    insert(&store, |s| {
        let past = s.rotated_at - 3 * HOUR;
        (s.idle_until, s.expires_at, s.access_until) = (past, past, past);
    })
    .await;
    let (issuer, subject) = (&*first.record().issuer, first.subject());
    let reason = EndReason::Logout;
    let mut batch =
        EndBatch { issuer, subject, keep: None, after: None, through: None, limit: 1, reason };
    let ended = store.end_batch(&batch).await.unwrap();
    (batch.after, batch.through) = (ended.next, Some(ended.through));

    while store.purge_sessions(HOUR, 100).await.unwrap() > 0 {}
    let later = beside(&first, HOUR);
    store.insert(&later, NO_LIMIT).await.unwrap();
    while batch.after.is_some() {
        batch.after = store.end_batch(&batch).await.unwrap().next;
    }
    assert_eq!(load(&store, later.id()).await, later);
}

#[doc(hidden)]
pub async fn a_batch_skips_ended_sessions_and_ends_expired_ones(store: Store) {
    let first = insert(&store, |s| s.idle_until = s.rotated_at - HOUR).await;
    let ended = beside(&first, HOUR);
    store.insert(&ended, NO_LIMIT).await.unwrap();
    store.end(&SessionSelector::ById { id: ended.id() }, EndReason::Reuse).await.unwrap();
    let ended = load(&store, ended.id()).await;
    assert_eq!(end_all(&store, &first, None, 1).await, [first.record().revocation()]);
    assert_eq!(load(&store, ended.id()).await, ended, "the first reason stays");
    assert!(end_all(&store, &first, None, 1).await.is_empty());
}

#[doc(hidden)]
pub async fn of_concurrent_batches_one_ends_each_session(store: Store) {
    let first = insert(&store, |_| {}).await;
    for _ in 0..11 {
        store.insert(&beside(&first, HOUR), NO_LIMIT).await.unwrap();
    }
    let racing: Vec<_> = (0..4)
        .map(|_| {
            let (store, first) = (store.clone(), first.clone());
            tokio::spawn(async move { end_all(&store, &first, None, 2).await })
        })
        .collect();
    let mut all = Vec::new();
    for racer in racing {
        all.extend(racer.await.unwrap());
    }
    assert_eq!(all.len(), 12);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 12);
}

#[doc(hidden)]
pub async fn an_ended_session_never_advances_in_a_race(store: Store) {
    for _ in 0..20 {
        let session = insert(&store, |_| {}).await;
        let request = AdvanceRequest {
            access_until: session.record().access_until + HOUR,
            ..advance_request(&session)
        };
        let advancing = tokio::spawn({
            let (store, request) = (store.clone(), request.clone());
            async move { store.advance(&request).await.unwrap() }
        });
        let selector = SessionSelector::ById { id: session.id() };
        let entry = store.end(&selector, EndReason::Logout).await.unwrap();
        let advanced = advancing.await.unwrap();
        // In either order, the entry covers the latest access token.
        let latest = match &advanced {
            Some(session) => session.record().access_until,
            None => session.record().access_until,
        };
        assert_eq!(entry.as_ref().map(Revocation::until), Some(latest));
        let next = load(&store, session.id()).await;
        let request = AdvanceRequest { from_generation: next.generation(), ..request };
        assert!(store.advance(&request).await.unwrap().is_none());
    }
}
