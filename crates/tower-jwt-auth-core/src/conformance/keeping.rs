//! Listing and removing sessions.

use super::*;

#[doc(hidden)]
pub async fn the_list_shows_live_sessions_in_the_order_in_which_they_were_added(store: Store) {
    let first = insert(&store, |_| {}).await;
    let same_owner = |s: &mut SessionRecord| {
        s.issuer.clone_from(&first.record().issuer);
        s.subject.clone_from(&first.record().subject);
    };
    // By nodes whose clocks are behind and ahead.
    let mut added = Vec::new();
    for behind in [2 * HOUR, Duration::ZERO, HOUR] {
        let change = |s: &mut SessionRecord| {
            same_owner(s);
            s.created_at = s.created_at - behind;
        };
        added.push(insert(&store, change).await);
    }
    for over in [true, false] {
        let session = insert(&store, |s| {
            same_owner(s);
            if over {
                s.expires_at = s.rotated_at - HOUR
            } else {
                s.idle_until = s.rotated_at - HOUR
            }
        })
        .await;
        assert!(!session.is_live(now(&store).await));
    }
    let ended = insert(&store, same_owner).await;
    store.end(&SessionSelector::ById { id: ended.id() }, EndReason::Logout).await.unwrap();
    let expected = [std::slice::from_ref(&first), &*added].concat();
    assert_eq!(list(&store, &first).await, expected);

    // In pages, the last of which says so.
    let (issuer, subject) = (&*first.record().issuer, first.subject());
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(issuer, subject, after, 2).await.unwrap();
        assert!(page.sessions.len() <= 2);
        pages.extend(page.sessions);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, expected);
    // Whatever a client names is a position.
    let end = Some(SessionPosition::new(u64::MAX));
    assert!(store.list(issuer, subject, end, 2).await.unwrap().sessions.is_empty());
}

#[doc(hidden)]
pub async fn purging_sessions_keeps_what_matters(store: Store) {
    let ancient = |s: &mut SessionRecord| {
        let ago = 1000 * 24 * HOUR;
        for time in [&mut s.created_at, &mut s.rotated_at, &mut s.idle_until, &mut s.expires_at] {
            *time = *time - ago;
        }
        s.access_until = s.access_until - ago;
    };
    let over = insert(&store, ancient).await;
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
    assert_eq!(store.purge_sessions(older_than, 0).await.unwrap(), 0, "no more than asked");
    while store.purge_sessions(older_than, 10).await.unwrap() > 0 {}
    assert!(store.load(over.id()).await.unwrap().is_none());
    for kept in [live, token_lives, ended] {
        assert!(store.load(kept.id()).await.unwrap().is_some());
    }
}
