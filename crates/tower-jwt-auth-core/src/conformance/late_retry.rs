//! Late retries.

use super::*;

#[doc(hidden)]
pub async fn a_late_retry_opens_a_window_and_slides_nothing(store: Store) {
    let session = insert_after_window(&store, 1, |_| {}).await;
    let later = session.record().access_until + HOUR;
    let earliest = now(&store).await;
    let request = LateRetryRequest { access_until: later, ..late_retry_request(&session) };
    let granted = store.late_retry(&request).await.unwrap().expect("it applies");
    let latest = now(&store).await;
    assert_eq!(
        load(&store, session.id()).await,
        granted,
        "the returned session is the written one"
    );

    let record = granted.into_record();
    assert!(earliest <= record.rotated_at && record.rotated_at <= latest, "by the store's clock");
    let expected = SessionRecord {
        late_retry: run(0, 1),
        rotated_at: record.rotated_at,
        access_until: later,
        ..session.into_record()
    };
    assert_eq!(record, expected, "nothing else changes");
}

#[doc(hidden)]
pub async fn a_late_retry_needs_no_clock_to_catch_up(store: Store) {
    let set_back = |s: &mut SessionRecord| {
        s.generation = 1;
        s.rotated_at = s.rotated_at + GRACE + MINUTE;
    };
    let session = insert(&store, set_back).await;
    let granted =
        store.late_retry(&late_retry_request(&session)).await.unwrap().expect("it applies");
    assert!(granted.record().rotated_at < session.record().rotated_at, "by the store's clock");
}

#[doc(hidden)]
pub async fn a_late_retry_is_granted_once_per_generation(store: Store) {
    let session = insert_after_window(&store, 1, |_| {}).await;
    let granted = store.late_retry(&late_retry_request(&session)).await.unwrap().unwrap();
    let generous = LateRetryRequest { max_running: 100, ..late_retry_request(&session) };
    for repeated in [generous.clone(), LateRetryRequest { grace: Duration::ZERO, ..generous }] {
        assert!(store.late_retry(&repeated).await.unwrap().is_none(), "{repeated:?}");
        assert_eq!(load(&store, session.id()).await, granted);
    }
}

#[doc(hidden)]
pub async fn late_retries_are_counted_over_consecutive_generations(store: Store) {
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
        let case = format!("{max_running} {earlier:?}");
        let session = insert_after_window(&store, 5, |s| s.late_retry = earlier).await;
        let request = LateRetryRequest { max_running, ..late_retry_request(&session) };
        let granted = store.late_retry(&request).await.unwrap();
        assert_eq!(granted.is_some(), expected.is_some(), "{case}");
        let kept = load(&store, session.id()).await.into_record().late_retry;
        assert_eq!(kept, expected.or(earlier), "{case}");
    }
}

#[doc(hidden)]
pub async fn a_late_retry_that_does_not_apply_changes_nothing(store: Store) {
    let live = insert_after_window(&store, 5, |_| {}).await;
    let previous = late_retry_request(&live);
    let within = insert_within_window(&store, 5).await;
    let idle = insert_after_window(&store, 5, |s| s.idle_until = s.rotated_at).await;
    let expired = insert_after_window(&store, 5, |s| s.expires_at = s.rotated_at).await;
    let ended = insert_after_window(&store, 5, |_| {}).await;
    store.end(&SessionSelector::ById { id: ended.id() }, EndReason::Logout).await.unwrap();
    let ended = load(&store, ended.id()).await;
    for (case, session, request) in [
        ("the current generation", &live, LateRetryRequest { generation: 5, ..previous.clone() }),
        ("two generations back", &live, LateRetryRequest { generation: 3, ..previous.clone() }),
        ("another secret", &live, LateRetryRequest { secret_hash: OTHER_HASH, ..previous }),
        ("within the window", &within, late_retry_request(&within)),
        ("idle", &idle, late_retry_request(&idle)),
        ("expired", &expired, late_retry_request(&expired)),
        ("ended", &ended, late_retry_request(&ended)),
    ] {
        assert!(store.late_retry(&request).await.unwrap().is_none(), "{case}");
        assert_eq!(load(&store, session.id()).await, *session, "{case}");
    }
}

#[doc(hidden)]
pub async fn of_many_concurrent_late_retries_one_wins(store: Store) {
    for grace in [GRACE, Duration::ZERO] {
        let session = insert_after_window(&store, 1, |_| {}).await;
        let mut racing = Vec::new();
        for _ in 0..50 {
            let (store, request) =
                (store.clone(), LateRetryRequest { grace, ..late_retry_request(&session) });
            racing.push(tokio::spawn(async move { store.late_retry(&request).await.unwrap() }));
        }
        let mut winners = 0;
        for racer in racing {
            winners += usize::from(racer.await.unwrap().is_some());
        }
        assert_eq!(winners, 1);
        assert_eq!(load(&store, session.id()).await.into_record().late_retry, run(0, 1));
    }
}

#[doc(hidden)]
pub async fn of_a_concurrent_advance_and_late_retry_one_wins(store: Store) {
    for _ in 0..20 {
        let session = insert_after_window(&store, 1, |_| {}).await;
        let advancing = {
            let (store, request) = (store.clone(), advance_request(&session));
            tokio::spawn(async move { store.advance(&request).await.unwrap() })
        };
        let retried = store.late_retry(&late_retry_request(&session)).await.unwrap();
        let advanced = advancing.await.unwrap();
        assert!(advanced.is_some() != retried.is_some(), "one of them opens the window");
    }
}
