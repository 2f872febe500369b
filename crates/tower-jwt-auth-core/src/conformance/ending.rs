//! Ending sessions.

use super::*;

#[doc(hidden)]
pub async fn ending_appends_an_entry_until_the_last_access_token(store: Store) {
    let session = insert(&store, |_| {}).await;
    let (_, end) = read_all(&store, None, 1000).await;
    let which = Which::One { id: session.id() };
    let entries = store.end(&which, EndReason::Logout).await.unwrap();
    let expected = Revocation::Session {
        issuer: session.parts().issuer.clone(),
        sid: session.id().to_string(),
        until: session.parts().access_until,
    };
    assert_eq!(entries, std::slice::from_ref(&expected));
    let (seen, _) = read_all(&store, Some(end), 1000).await;
    assert!(seen.contains(&expected), "{seen:?}");
    let ended = row(&store, session.id()).await.into_parts().ended.unwrap();
    assert_eq!(ended.reason, EndReason::Logout);
    assert!(ended.at >= session.created_at());
}

#[doc(hidden)]
pub async fn ending_twice_is_told_once(store: Store) {
    let session = insert(&store, |_| {}).await;
    let which = Which::One { id: session.id() };
    assert_eq!(store.end(&which, EndReason::Logout).await.unwrap().len(), 1);
    let first = row(&store, session.id()).await;
    assert!(store.end(&which, EndReason::Reuse).await.unwrap().is_empty());
    assert_eq!(row(&store, session.id()).await, first, "the first reason stays");
}

#[doc(hidden)]
pub async fn ending_an_expired_session_still_revokes_its_access_tokens(store: Store) {
    let session = insert(&store, |s| s.idle_until = s.rotated_at - HOUR).await;
    let which = Which::One { id: session.id() };
    let entries = store.end(&which, EndReason::Logout).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].until(), session.parts().access_until);
}

#[doc(hidden)]
pub async fn ending_by_a_presented_token_needs_the_sessions_secret(store: Store) {
    let session = insert(&store, |_| {}).await;
    let forged = Which::Presented { id: session.id(), secret_hash: OTHER_HASH };
    assert!(store.end(&forged, EndReason::Logout).await.unwrap().is_empty());
    assert_eq!(row(&store, session.id()).await, session);
    let own = Which::Presented { id: session.id(), secret_hash: HASH };
    assert_eq!(store.end(&own, EndReason::Logout).await.unwrap().len(), 1);
}

#[doc(hidden)]
pub async fn ending_reaches_only_the_subjects_own_sessions(store: Store) {
    let [first, second, stranger, namesake] = neighbours(&store).await;
    let (issuer, subject) = (&*first.parts().issuer, first.subject());

    let not_theirs = Which::Owned { issuer, subject, id: stranger.id() };
    assert!(store.end(&not_theirs, EndReason::Logout).await.unwrap().is_empty());
    let theirs = Which::Owned { issuer, subject, id: second.id() };
    assert_eq!(store.end(&theirs, EndReason::Logout).await.unwrap().len(), 1);
    assert_eq!(row(&store, first.id()).await, first);

    let all = Which::All { issuer, subject };
    assert_eq!(store.end(&all, EndReason::Logout).await.unwrap().len(), 1, "one was left");
    assert!(row(&store, first.id()).await.parts().ended.is_some());
    assert_eq!(row(&store, stranger.id()).await, stranger);
    assert_eq!(row(&store, namesake.id()).await, namesake);
}

#[doc(hidden)]
pub async fn ending_all_others_keeps_one(store: Store) {
    let [first, second, stranger, namesake] = neighbours(&store).await;
    let (issuer, subject) = (&*first.parts().issuer, first.subject());
    let others = Which::Others { issuer, subject, keep: first.id() };
    let ended = store.end(&others, EndReason::Logout).await.unwrap();
    assert_eq!(ended.len(), 1);
    assert!(row(&store, second.id()).await.parts().ended.is_some());
    for kept in [&first, &stranger, &namesake] {
        assert_eq!(row(&store, kept.id()).await, *kept);
    }
}

#[doc(hidden)]
pub async fn an_ended_session_never_advances_however_they_race(store: Store) {
    for _ in 0..20 {
        let session = insert(&store, |_| {}).await;
        let step = Advance { access_until: session.parts().access_until + HOUR, ..step(&session) };
        let advancing = tokio::spawn({
            let (store, step) = (store.clone(), step.clone());
            async move { store.advance(&step).await.unwrap() }
        });
        let which = Which::One { id: session.id() };
        let entries = store.end(&which, EndReason::Logout).await.unwrap();
        let advanced = advancing.await.unwrap();
        // Whichever came first, the entry covers the latest token that was made.
        let latest = match &advanced {
            Some(row) => row.parts().access_until,
            None => session.parts().access_until,
        };
        assert_eq!(entries.iter().map(Revocation::until).collect::<Vec<_>>(), [latest]);
        let next = row(&store, session.id()).await;
        let step = Advance { from_generation: next.generation(), ..step };
        assert!(store.advance(&step).await.unwrap().is_none());
    }
}
