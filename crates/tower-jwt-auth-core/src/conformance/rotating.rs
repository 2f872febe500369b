//! Advances and late retries.

use super::*;

#[doc(hidden)]
pub async fn an_advance_moves_one_generation_and_slides_the_idle_expiry(store: Store) {
    let before = insert(&store, |s| s.rotated_at = s.rotated_at - HOUR).await;
    let earliest = now(&store).await;
    let after = store.advance(&step(&before)).await.unwrap().expect("it applies");
    let latest = now(&store).await;
    assert_eq!(row(&store, before.id()).await, after, "what is returned is what was written");

    let parts = after.into_parts();
    assert_eq!(parts.generation, 1);
    assert!(earliest <= parts.rotated_at && parts.rotated_at <= latest, "by the store's clock");
    assert_eq!(parts.idle_until, parts.rotated_at + 2 * HOUR);
    let expected = SessionParts {
        generation: 1,
        rotated_at: parts.rotated_at,
        idle_until: parts.idle_until,
        ..before.into_parts()
    };
    assert_eq!(parts, expected, "nothing else changes");
}

#[doc(hidden)]
pub async fn an_advance_never_slides_beyond_the_absolute_end(store: Store) {
    let session = insert(&store, |s| s.expires_at = s.rotated_at + HOUR + HOUR / 2).await;
    let after = store.advance(&step(&session)).await.unwrap().unwrap();
    assert_eq!(after.parts().idle_until, session.parts().expires_at);
    assert_eq!(after.parts().expires_at, session.parts().expires_at);
}

#[doc(hidden)]
pub async fn an_advance_raises_and_never_lowers_access_until(store: Store) {
    let session = insert(&store, |_| {}).await;
    let later = session.parts().access_until + HOUR;
    let raise = Advance { access_until: later, ..step(&session) };
    let raised = store.advance(&raise).await.unwrap().unwrap();
    assert_eq!(raised.parts().access_until, later);
    let lower = Advance { access_until: later - 2 * HOUR, ..step(&raised) };
    let same = store.advance(&lower).await.unwrap().unwrap();
    assert_eq!(same.parts().access_until, later);
}

#[doc(hidden)]
pub async fn an_advance_that_does_not_apply_changes_nothing(store: Store) {
    let ago = |s: &SessionParts, by: Duration| s.rotated_at - by;
    let live = insert(&store, |s| s.generation = 3).await;
    let idle = insert(&store, |s| s.idle_until = ago(s, Duration::from_millis(1))).await;
    let expired = insert(&store, |s| s.expires_at = ago(s, Duration::from_millis(1))).await;
    let ended = insert(&store, |_| {}).await;
    store.end(&Which::One { id: ended.id() }, EndReason::Logout).await.unwrap();
    let ended = row(&store, ended.id()).await;
    for (what, session, step) in [
        ("an older generation", &live, Advance { from_generation: 2, ..step(&live) }),
        ("a newer generation", &live, Advance { from_generation: 4, ..step(&live) }),
        ("another secret", &live, Advance { secret_hash: OTHER_HASH, ..step(&live) }),
        ("idle", &idle, step(&idle)),
        ("expired", &expired, step(&expired)),
        ("ended", &ended, step(&ended)),
    ] {
        assert!(store.advance(&step).await.unwrap().is_none(), "{what}");
        assert_eq!(row(&store, session.id()).await, *session, "{what}");
    }
}

#[doc(hidden)]
pub async fn of_many_advances_at_once_one_wins(store: Store) {
    let session = insert(&store, |_| {}).await;
    let mut racing = Vec::new();
    for _ in 0..50 {
        let (store, step) = (store.clone(), step(&session));
        racing.push(tokio::spawn(async move { store.advance(&step).await.unwrap() }));
    }
    let mut winners = 0;
    for racer in racing {
        winners += usize::from(racer.await.unwrap().is_some());
    }
    assert_eq!(winners, 1);
    assert_eq!(row(&store, session.id()).await.generation(), 1);
}

#[doc(hidden)]
pub async fn rows_and_the_pure_rule_agree(store: Store) {
    let policy = RotationPolicy::default();
    let session = insert(&store, |_| {}).await;
    let first = Presented { generation: 0, secret_hash: HASH };
    let loaded = store.load(session.id()).await.unwrap().unwrap();
    assert_eq!(loaded.session.present(&first, loaded.now, &policy), Verdict::Rotate);
    store.advance(&step(&session)).await.unwrap().unwrap();
    let loaded = store.load(session.id()).await.unwrap().unwrap();
    assert_eq!(loaded.session.present(&first, loaded.now, &policy), Verdict::Replay);
    let late = policy.clone().with_grace(Duration::ZERO);
    assert_eq!(loaded.session.present(&first, loaded.now, &late), Verdict::LateRetry);
    store.advance(&step(&loaded.session)).await.unwrap().unwrap();
    let loaded = store.load(session.id()).await.unwrap().unwrap();
    assert_eq!(loaded.session.present(&first, loaded.now, &policy), Verdict::Reuse);
    store.end(&Which::One { id: session.id() }, EndReason::Reuse).await.unwrap();
    let loaded = store.load(session.id()).await.unwrap().unwrap();
    let verdict = loaded.session.present(&first, loaded.now, &policy);
    assert_eq!(verdict, Verdict::Refused(Refusal::Ended));
    assert_eq!(loaded.session.parts().ended.map(|ended| ended.reason), Some(EndReason::Reuse));
}

#[doc(hidden)]
pub async fn a_late_retry_is_remembered_and_slides_nothing(store: Store) {
    let session = insert(&store, |s| s.generation = 1).await;
    let later = session.parts().access_until + HOUR;
    let retry = LateRetry { access_until: later, ..retry(&session) };
    for _ in 0..2 {
        let granted =
            store.late_retry(&retry).await.unwrap().expect("the same one may be repeated");
        let expected = SessionParts {
            late_retry: Some(0),
            access_until: later,
            ..session.clone().into_parts()
        };
        assert_eq!(granted.into_parts(), expected);
        assert_eq!(row(&store, session.id()).await.into_parts(), expected);
    }
}

#[doc(hidden)]
pub async fn a_late_retry_that_does_not_apply_changes_nothing(store: Store) {
    let live = insert(&store, |s| s.generation = 5).await;
    let twice = insert(&store, |s| {
        s.generation = 5;
        s.late_retry = Some(3);
    })
    .await;
    let idle = insert(&store, |s| {
        s.generation = 5;
        s.idle_until = s.rotated_at - HOUR;
    })
    .await;
    let ended = insert(&store, |s| s.generation = 5).await;
    store.end(&Which::One { id: ended.id() }, EndReason::Logout).await.unwrap();
    let ended = row(&store, ended.id()).await;
    for (what, session, retry) in [
        ("the current generation", &live, LateRetry { generation: 5, ..retry(&live) }),
        ("two generations back", &live, LateRetry { generation: 3, ..retry(&live) }),
        ("another secret", &live, LateRetry { secret_hash: OTHER_HASH, ..retry(&live) }),
        ("two generations running", &twice, retry(&twice)),
        ("idle", &idle, retry(&idle)),
        ("ended", &ended, retry(&ended)),
    ] {
        assert!(store.late_retry(&retry).await.unwrap().is_none(), "{what}");
        assert_eq!(row(&store, session.id()).await, *session, "{what}");
    }
}
