//! Lists of sessions.

use super::*;

#[doc(hidden)]
pub async fn the_list_shows_live_sessions_in_the_order_in_which_they_were_added(store: Store) {
    let first = insert(&store, |_| {}).await;
    let same_owner = |s: &mut SessionRecord| {
        s.issuer.clone_from(&first.record().issuer);
        s.subject.clone_from(&first.record().subject);
    };
    // The nodes that start these sessions have clocks that are behind.
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

    // In pages, of which the last has no next one.
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
    // A position may come from a client and have any value.
    let end = Some(SessionPosition::new(u64::MAX));
    assert!(store.list(issuer, subject, end, 2).await.unwrap().sessions.is_empty());
}
