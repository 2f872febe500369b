//! Advances, and that the records agree with the rule.

use super::*;

#[doc(hidden)]
pub async fn an_advance_moves_one_generation_and_slides_the_idle_expiry(store: Store) {
    let before = insert_after_window(&store, 3, |_| {}).await;
    let earliest = now(&store).await;
    let after = store.advance(&advance_request(&before)).await.unwrap().expect("it applies");
    let latest = now(&store).await;
    assert_eq!(load(&store, before.id()).await, after, "the returned session is the written one");

    let record = after.into_record();
    assert!(earliest <= record.rotated_at && record.rotated_at <= latest, "by the store's clock");
    let expected = SessionRecord {
        generation: 4,
        rotated_at: record.rotated_at,
        idle_until: record.rotated_at + 3 * HOUR,
        ..before.into_record()
    };
    assert_eq!(record, expected, "nothing else changes");
}

#[doc(hidden)]
pub async fn an_advance_never_slides_beyond_the_absolute_end(store: Store) {
    let session = insert(&store, |s| s.expires_at = s.rotated_at + HOUR + HOUR / 2).await;
    let after = store.advance(&advance_request(&session)).await.unwrap().unwrap();
    assert_eq!(after.record().idle_until, session.record().expires_at);
    assert_eq!(after.record().expires_at, session.record().expires_at);
}

#[doc(hidden)]
pub async fn an_advance_raises_and_never_lowers_access_until(store: Store) {
    let session = insert(&store, |_| {}).await;
    let later = session.record().access_until + HOUR;
    let raise = AdvanceRequest { access_until: later, ..advance_request(&session) };
    let raised = store.advance(&raise).await.unwrap().unwrap();
    assert_eq!(raised.record().access_until, later);
    let lower = AdvanceRequest {
        access_until: later - 2 * HOUR,
        grace: Duration::ZERO,
        ..advance_request(&raised)
    };
    let same = store.advance(&lower).await.unwrap().unwrap();
    assert_eq!(same.record().access_until, later);
}

#[doc(hidden)]
pub async fn an_advance_that_does_not_apply_changes_nothing(store: Store) {
    let millisecond = Duration::from_millis(1);
    let live = insert_after_window(&store, 3, |_| {}).await;
    let current = advance_request(&live);
    let idle = insert(&store, |s| s.idle_until = s.rotated_at - millisecond).await;
    let expired = insert(&store, |s| s.expires_at = s.rotated_at - millisecond).await;
    let ended = insert(&store, |_| {}).await;
    store.end(&SessionSelector::ById { id: ended.id() }, EndReason::Logout).await.unwrap();
    let ended = load(&store, ended.id()).await;
    for (case, session, request) in [
        ("an older generation", &live, AdvanceRequest { from_generation: 2, ..current.clone() }),
        ("a newer generation", &live, AdvanceRequest { from_generation: 4, ..current.clone() }),
        ("another secret", &live, AdvanceRequest { secret_hash: OTHER_HASH, ..current }),
        ("idle", &idle, advance_request(&idle)),
        ("expired", &expired, advance_request(&expired)),
        ("ended", &ended, advance_request(&ended)),
    ] {
        assert!(store.advance(&request).await.unwrap().is_none(), "{case}");
        assert_eq!(load(&store, session.id()).await, *session, "{case}");
    }
}

#[doc(hidden)]
pub async fn the_first_advance_of_a_session_needs_no_window_to_be_over(store: Store) {
    let new = insert(&store, |_| {}).await;
    let after = store.advance(&advance_request(&new)).await.unwrap().expect("it applies");
    assert_eq!(after.generation(), 1);
    assert!(
        store.advance(&advance_request(&after)).await.unwrap().is_none(),
        "the second one needs it"
    );
}

#[doc(hidden)]
pub async fn an_advance_within_the_window_changes_nothing(store: Store) {
    let within = insert_within_window(&store, 1).await;
    assert!(store.advance(&advance_request(&within)).await.unwrap().is_none());
    assert_eq!(load(&store, within.id()).await, within);
    // The window is half open: at its end the session rotates.
    let at_the_end = insert_after_window(&store, 1, |_| {}).await;
    assert!(store.advance(&advance_request(&at_the_end)).await.unwrap().is_some());
    // A clock that was set back opens no window.
    let set_back = insert(&store, |s| {
        s.generation = 1;
        s.rotated_at = s.rotated_at + GRACE + MINUTE;
    })
    .await;
    assert!(store.advance(&advance_request(&set_back)).await.unwrap().is_some());
    let no_window = AdvanceRequest { grace: Duration::ZERO, ..advance_request(&within) };
    assert!(store.advance(&no_window).await.unwrap().is_some());
}

#[doc(hidden)]
pub async fn of_many_concurrent_advances_one_wins(store: Store) {
    for grace in [GRACE, Duration::ZERO] {
        let session = insert(&store, |_| {}).await;
        let mut racing = Vec::new();
        for _ in 0..50 {
            let (store, request) =
                (store.clone(), AdvanceRequest { grace, ..advance_request(&session) });
            racing.push(tokio::spawn(async move { store.advance(&request).await.unwrap() }));
        }
        let mut winners = 0;
        for racer in racing {
            winners += usize::from(racer.await.unwrap().is_some());
        }
        assert_eq!(winners, 1);
        assert_eq!(load(&store, session.id()).await.generation(), 1);
    }
}

#[doc(hidden)]
pub async fn records_and_the_pure_rule_agree(store: Store) {
    let new = insert(&store, |_| {}).await;
    assert_eq!(evaluate(&store, new.id(), 0).await, RotationOutcome::Rotate, "the first one");
    assert!(store.advance(&advance_request(&new)).await.unwrap().is_some());
    assert_eq!(
        evaluate(&store, new.id(), 0).await,
        RotationOutcome::Replay,
        "the previous generation, in the window"
    );
    assert_eq!(
        evaluate(&store, new.id(), 1).await,
        RotationOutcome::Replay,
        "current, in the window"
    );
    assert_eq!(
        evaluate(&store, new.id(), 2).await,
        RotationOutcome::Rejected(RotationRejection::Ahead)
    );

    let within = insert_within_window(&store, 2).await;
    assert_eq!(
        evaluate(&store, within.id(), 0).await,
        RotationOutcome::Reuse,
        "two generations back, in the window"
    );
    let after = insert_after_window(&store, 2, |_| {}).await;
    assert_eq!(evaluate(&store, after.id(), 2).await, RotationOutcome::Rotate, "current, later");
    assert_eq!(
        evaluate(&store, after.id(), 1).await,
        RotationOutcome::LateRetry,
        "the previous generation, later"
    );
    assert_eq!(
        evaluate(&store, after.id(), 0).await,
        RotationOutcome::Reuse,
        "two generations back, later"
    );
    assert!(store.late_retry(&late_retry_request(&after)).await.unwrap().is_some());
    assert_eq!(evaluate(&store, after.id(), 1).await, RotationOutcome::Replay, "a repetition");
    assert_eq!(evaluate(&store, after.id(), 2).await, RotationOutcome::Replay, "its answer");

    store.end(&SessionSelector::ById { id: after.id() }, EndReason::Reuse).await.unwrap();
    assert_eq!(
        evaluate(&store, after.id(), 2).await,
        RotationOutcome::Rejected(RotationRejection::Ended)
    );
    let ended = load(&store, after.id()).await.into_record().ended;
    assert_eq!(ended.map(|ended| ended.reason), Some(EndReason::Reuse));
}
