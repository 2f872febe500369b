//! The removal of sessions.

use super::*;

#[doc(hidden)]
pub async fn purging_sessions_keeps_those_still_needed(store: Store) {
    let ancient = |s: &mut SessionRecord| {
        let ago = 1000 * 24 * HOUR;
        for time in [&mut s.created_at, &mut s.rotated_at, &mut s.idle_until, &mut s.expires_at] {
            *time = *time - ago;
        }
        s.access_until = s.access_until - ago;
    };
    let purgeable = insert(&store, ancient).await;
    let live = insert(&store, |_| {}).await;
    let token_lives = insert(&store, |s| {
        let access_until = s.access_until;
        ancient(s);
        s.access_until = access_until;
    })
    .await;
    let ended = insert(&store, |_| {}).await;
    store.end(&SessionSelector::ById { id: ended.id() }, EndReason::Logout).await.unwrap();

    let older_than = 900 * 24 * HOUR;
    assert_eq!(
        store.purge_sessions(older_than, 0).await.unwrap(),
        0,
        "at most the requested number"
    );
    while store.purge_sessions(older_than, 10).await.unwrap() > 0 {}
    assert!(store.load(purgeable.id()).await.unwrap().is_none());
    for kept in [live, token_lives, ended] {
        assert!(store.load(kept.id()).await.unwrap().is_some());
    }
}
