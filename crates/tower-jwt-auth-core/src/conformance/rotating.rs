//! Advances and late retries.

use super::*;

/// A session of this generation whose grace window is just over.
async fn insert_after_window(
    store: &Store,
    generation: u64,
    change: impl FnOnce(&mut SessionRecord),
) -> Session {
    insert(store, |s| {
        s.generation = generation;
        s.rotated_at = s.rotated_at - GRACE;
        change(s);
    })
    .await
}

/// A session of this generation whose grace window ends in a minute.
async fn insert_within_window(store: &Store, generation: u64) -> Session {
    insert(store, |s| {
        s.generation = generation;
        s.rotated_at = s.rotated_at - GRACE + MINUTE;
    })
    .await
}

fn run(generation: u64, length: u32) -> Option<LateRetryRun> {
    Some(LateRetryRun { generation, length })
}

async fn verdict(store: &Store, id: SessionId, generation: u64) -> RotationOutcome {
    let snapshot = store.load(id).await.unwrap().unwrap();
    let policy = RotationPolicy::default().with_grace(GRACE);
    snapshot.session.evaluate(
        &PresentedToken { generation, secret_hash: HASH },
        snapshot.now,
        &policy,
    )
}

#[doc(hidden)]
pub async fn an_advance_moves_one_generation_and_slides_the_idle_expiry(store: Store) {
    let before = insert_after_window(&store, 3, |_| {}).await;
    let earliest = now(&store).await;
    let after = store.advance(&step(&before)).await.unwrap().expect("it applies");
    let latest = now(&store).await;
    assert_eq!(row(&store, before.id()).await, after, "what is returned is what was written");

    let parts = after.into_record();
    assert!(earliest <= parts.rotated_at && parts.rotated_at <= latest, "by the store's clock");
    let expected = SessionRecord {
        generation: 4,
        rotated_at: parts.rotated_at,
        idle_until: parts.rotated_at + 3 * HOUR,
        ..before.into_record()
    };
    assert_eq!(parts, expected, "nothing else changes");
}

#[doc(hidden)]
pub async fn an_advance_never_slides_beyond_the_absolute_end(store: Store) {
    let session = insert(&store, |s| s.expires_at = s.rotated_at + HOUR + HOUR / 2).await;
    let after = store.advance(&step(&session)).await.unwrap().unwrap();
    assert_eq!(after.record().idle_until, session.record().expires_at);
    assert_eq!(after.record().expires_at, session.record().expires_at);
}

#[doc(hidden)]
pub async fn an_advance_raises_and_never_lowers_access_until(store: Store) {
    let session = insert(&store, |_| {}).await;
    let later = session.record().access_until + HOUR;
    let raise = AdvanceRequest { access_until: later, ..step(&session) };
    let raised = store.advance(&raise).await.unwrap().unwrap();
    assert_eq!(raised.record().access_until, later);
    let lower =
        AdvanceRequest { access_until: later - 2 * HOUR, grace: Duration::ZERO, ..step(&raised) };
    let same = store.advance(&lower).await.unwrap().unwrap();
    assert_eq!(same.record().access_until, later);
}

#[doc(hidden)]
pub async fn an_advance_that_does_not_apply_changes_nothing(store: Store) {
    let millisecond = Duration::from_millis(1);
    let live = insert_after_window(&store, 3, |_| {}).await;
    let idle = insert(&store, |s| s.idle_until = s.rotated_at - millisecond).await;
    let expired = insert(&store, |s| s.expires_at = s.rotated_at - millisecond).await;
    let ended = insert(&store, |_| {}).await;
    store.end(&SessionSelector::ById { id: ended.id() }, EndReason::Logout).await.unwrap();
    let ended = row(&store, ended.id()).await;
    for (what, session, step) in [
        ("an older generation", &live, AdvanceRequest { from_generation: 2, ..step(&live) }),
        ("a newer generation", &live, AdvanceRequest { from_generation: 4, ..step(&live) }),
        ("another secret", &live, AdvanceRequest { secret_hash: OTHER_HASH, ..step(&live) }),
        ("idle", &idle, step(&idle)),
        ("expired", &expired, step(&expired)),
        ("ended", &ended, step(&ended)),
    ] {
        assert!(store.advance(&step).await.unwrap().is_none(), "{what}");
        assert_eq!(row(&store, session.id()).await, *session, "{what}");
    }
}

#[doc(hidden)]
pub async fn the_first_advance_of_a_session_needs_no_window_to_be_over(store: Store) {
    let new = insert(&store, |_| {}).await;
    let after = store.advance(&step(&new)).await.unwrap().expect("it applies");
    assert_eq!(after.generation(), 1);
    assert!(store.advance(&step(&after)).await.unwrap().is_none(), "the second one does");
}

#[doc(hidden)]
pub async fn an_advance_within_the_window_changes_nothing(store: Store) {
    let within = insert_within_window(&store, 1).await;
    assert!(store.advance(&step(&within)).await.unwrap().is_none());
    assert_eq!(row(&store, within.id()).await, within);
    // The window is half open: at its end the session rotates.
    let at_the_end = insert_after_window(&store, 1, |_| {}).await;
    assert!(store.advance(&step(&at_the_end)).await.unwrap().is_some());
    // A clock that was set back opens no window until it has caught up.
    let set_back = insert(&store, |s| {
        s.generation = 1;
        s.rotated_at = s.rotated_at + GRACE + MINUTE;
    })
    .await;
    assert!(store.advance(&step(&set_back)).await.unwrap().is_some());
    let no_window = AdvanceRequest { grace: Duration::ZERO, ..step(&within) };
    assert!(store.advance(&no_window).await.unwrap().is_some());
}

#[doc(hidden)]
pub async fn of_many_advances_at_once_one_wins(store: Store) {
    for grace in [GRACE, Duration::ZERO] {
        let session = insert(&store, |_| {}).await;
        let mut racing = Vec::new();
        for _ in 0..50 {
            let (store, step) = (store.clone(), AdvanceRequest { grace, ..step(&session) });
            racing.push(tokio::spawn(async move { store.advance(&step).await.unwrap() }));
        }
        let mut winners = 0;
        for racer in racing {
            winners += usize::from(racer.await.unwrap().is_some());
        }
        assert_eq!(winners, 1);
        assert_eq!(row(&store, session.id()).await.generation(), 1);
    }
}

#[doc(hidden)]
pub async fn rows_and_the_pure_rule_agree(store: Store) {
    let new = insert(&store, |_| {}).await;
    assert_eq!(verdict(&store, new.id(), 0).await, RotationOutcome::Rotate, "the first one");
    assert!(store.advance(&step(&new)).await.unwrap().is_some());
    assert_eq!(
        verdict(&store, new.id(), 0).await,
        RotationOutcome::Replay,
        "one before, in the window"
    );
    assert_eq!(
        verdict(&store, new.id(), 1).await,
        RotationOutcome::Replay,
        "current, in the window"
    );
    assert_eq!(
        verdict(&store, new.id(), 2).await,
        RotationOutcome::Rejected(RotationRejection::Ahead)
    );

    let within = insert_within_window(&store, 2).await;
    assert_eq!(
        verdict(&store, within.id(), 0).await,
        RotationOutcome::Reuse,
        "two before, in the window"
    );
    let after = insert_after_window(&store, 2, |_| {}).await;
    assert_eq!(verdict(&store, after.id(), 2).await, RotationOutcome::Rotate, "current, later");
    assert_eq!(
        verdict(&store, after.id(), 1).await,
        RotationOutcome::LateRetry,
        "one before, later"
    );
    assert_eq!(verdict(&store, after.id(), 0).await, RotationOutcome::Reuse, "two before, later");
    assert!(store.late_retry(&retry(&after)).await.unwrap().is_some());
    assert_eq!(verdict(&store, after.id(), 1).await, RotationOutcome::Replay, "a repetition");
    assert_eq!(verdict(&store, after.id(), 2).await, RotationOutcome::Replay, "its answer");

    store.end(&SessionSelector::ById { id: after.id() }, EndReason::Reuse).await.unwrap();
    assert_eq!(
        verdict(&store, after.id(), 2).await,
        RotationOutcome::Rejected(RotationRejection::Ended)
    );
    let ended = row(&store, after.id()).await.into_record().ended;
    assert_eq!(ended.map(|ended| ended.reason), Some(EndReason::Reuse));
}

#[doc(hidden)]
pub async fn a_late_retry_opens_a_window_and_slides_nothing(store: Store) {
    let session = insert_after_window(&store, 1, |_| {}).await;
    let later = session.record().access_until + HOUR;
    let earliest = now(&store).await;
    let retry = LateRetryRequest { access_until: later, ..retry(&session) };
    let granted = store.late_retry(&retry).await.unwrap().expect("it applies");
    let latest = now(&store).await;
    assert_eq!(row(&store, session.id()).await, granted, "what is returned is what was written");

    let parts = granted.into_record();
    assert!(earliest <= parts.rotated_at && parts.rotated_at <= latest, "by the store's clock");
    let expected = SessionRecord {
        late_retry: run(0, 1),
        rotated_at: parts.rotated_at,
        access_until: later,
        ..session.into_record()
    };
    assert_eq!(parts, expected, "nothing else changes");
}

#[doc(hidden)]
pub async fn a_late_retry_needs_no_clock_to_catch_up(store: Store) {
    let set_back = |s: &mut SessionRecord| {
        s.generation = 1;
        s.rotated_at = s.rotated_at + GRACE + MINUTE;
    };
    let session = insert(&store, set_back).await;
    let granted = store.late_retry(&retry(&session)).await.unwrap().expect("it applies");
    assert!(granted.record().rotated_at < session.record().rotated_at, "by the store's clock");
}

#[doc(hidden)]
pub async fn a_late_retry_is_granted_once_a_generation(store: Store) {
    let session = insert_after_window(&store, 1, |_| {}).await;
    let granted = store.late_retry(&retry(&session)).await.unwrap().unwrap();
    let generous = LateRetryRequest { max_running: 100, ..retry(&session) };
    for again in [generous.clone(), LateRetryRequest { grace: Duration::ZERO, ..generous }] {
        assert!(store.late_retry(&again).await.unwrap().is_none(), "{again:?}");
        assert_eq!(row(&store, session.id()).await, granted);
    }
}

#[doc(hidden)]
pub async fn late_retries_are_counted_over_generations_running(store: Store) {
    for (max_running, earlier, expected) in [
        (0, None, None),
        (1, None, run(4, 1)),
        (1, run(3, 1), None),
        (1, run(2, 1), run(4, 1)),
        (1, run(2, 9), run(4, 1)),
        (2, run(3, 1), run(4, 2)),
        (2, run(3, 2), None),
        (3, run(3, 2), run(4, 3)),
        (9, run(4, 1), None),
    ] {
        let what = format!("{max_running} {earlier:?}");
        let session = insert_after_window(&store, 5, |s| s.late_retry = earlier).await;
        let retry = LateRetryRequest { max_running, ..retry(&session) };
        let granted = store.late_retry(&retry).await.unwrap();
        assert_eq!(granted.is_some(), expected.is_some(), "{what}");
        let kept = row(&store, session.id()).await.into_record().late_retry;
        assert_eq!(kept, expected.or(earlier), "{what}");
    }
}

#[doc(hidden)]
pub async fn a_late_retry_that_does_not_apply_changes_nothing(store: Store) {
    let live = insert_after_window(&store, 5, |_| {}).await;
    let within = insert_within_window(&store, 5).await;
    let idle = insert_after_window(&store, 5, |s| s.idle_until = s.rotated_at).await;
    let expired = insert_after_window(&store, 5, |s| s.expires_at = s.rotated_at).await;
    let ended = insert_after_window(&store, 5, |_| {}).await;
    store.end(&SessionSelector::ById { id: ended.id() }, EndReason::Logout).await.unwrap();
    let ended = row(&store, ended.id()).await;
    for (what, session, retry) in [
        ("the current generation", &live, LateRetryRequest { generation: 5, ..retry(&live) }),
        ("two generations back", &live, LateRetryRequest { generation: 3, ..retry(&live) }),
        ("another secret", &live, LateRetryRequest { secret_hash: OTHER_HASH, ..retry(&live) }),
        ("within the window", &within, retry(&within)),
        ("idle", &idle, retry(&idle)),
        ("expired", &expired, retry(&expired)),
        ("ended", &ended, retry(&ended)),
    ] {
        assert!(store.late_retry(&retry).await.unwrap().is_none(), "{what}");
        assert_eq!(row(&store, session.id()).await, *session, "{what}");
    }
}

#[doc(hidden)]
pub async fn of_many_late_retries_at_once_one_wins(store: Store) {
    for grace in [GRACE, Duration::ZERO] {
        let session = insert_after_window(&store, 1, |_| {}).await;
        let mut racing = Vec::new();
        for _ in 0..50 {
            let (store, retry) = (store.clone(), LateRetryRequest { grace, ..retry(&session) });
            racing.push(tokio::spawn(async move { store.late_retry(&retry).await.unwrap() }));
        }
        let mut winners = 0;
        for racer in racing {
            winners += usize::from(racer.await.unwrap().is_some());
        }
        assert_eq!(winners, 1);
        assert_eq!(row(&store, session.id()).await.into_record().late_retry, run(0, 1));
    }
}

#[doc(hidden)]
pub async fn of_an_advance_and_a_late_retry_at_once_one_wins(store: Store) {
    for _ in 0..20 {
        let session = insert_after_window(&store, 1, |_| {}).await;
        let (step, retry) = (step(&session), retry(&session));
        let advancing = {
            let store = store.clone();
            tokio::spawn(async move { store.advance(&step).await.unwrap() })
        };
        let retried = store.late_retry(&retry).await.unwrap();
        let advanced = advancing.await.unwrap();
        assert!(advanced.is_some() != retried.is_some(), "one of them opens the window");
    }
}
