//! Tokens with an unknown key: one fetch for all of them, at most one in the cool-down.

use tokio::task::JoinSet;
use tokio::time::{advance, timeout};

use super::*;

/// Keys that have been fetched, at a provider that publishes another key from now on.
async fn rotated() -> (Provider, RemoteKeySet) {
    let provider = Provider::with_set(set_of("old"));
    let keys = provider.keys();
    keys.ready().await;
    provider.publish(set_of("new"));
    (provider, keys)
}

#[tokio::test(start_paused = true)]
async fn rotation_right_after_a_scheduled_fetch_is_found_at_once() {
    let (provider, keys) = rotated().await;
    let begun = Instant::now();
    let seen = keys.snapshot();
    assert!(!has(&seen, "new"));
    let refreshed = keys.refresh_for_unknown_key(seen.fetch_number()).await;
    assert!(has(&refreshed, "new"), "the request is judged by the new set");
    assert!(!has(&refreshed, "old"), "which replaces the old one");
    assert!(refreshed.fetch_number() > seen.fetch_number());
    assert_eq!((provider.requests(), begun.elapsed()), (2, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn all_wait_for_one_fetch() {
    let (provider, keys) = rotated().await;
    let set = set_of("new");
    provider.answer(move |_| Reply::json(set.clone()).after(SECOND));
    let begun = Instant::now();
    let mut waiting = JoinSet::new();
    for _ in 0..1000 {
        let keys = keys.clone();
        waiting.spawn(async move {
            let seen = keys.snapshot().fetch_number();
            has(&keys.refresh_for_unknown_key(seen).await, "new")
        });
    }
    assert!(waiting.join_all().await.into_iter().all(|found| found));
    assert_eq!((provider.requests(), begun.elapsed()), (2, SECOND));
}

#[tokio::test(start_paused = true)]
async fn the_cool_down_bounds_the_fetches_whatever_comes() {
    let set = set_of("key");
    let scripts: [fn(&str) -> Reply; 5] = [
        |set| Reply::json(set.to_owned()),
        |_| Reply::json(r#"{"keys":[]}"#),
        |_| Reply::json("<html>"),
        |_| Reply::status(StatusCode::INTERNAL_SERVER_ERROR),
        |_| Reply::Refused,
    ];
    for (case, script) in scripts.into_iter().enumerate() {
        let provider = Provider::with_set(set.clone());
        let keys = provider.keys();
        keys.ready().await;
        let set = set.clone();
        provider.answer(move |_| script(&set));
        let mut fetches = Vec::new();
        for _ in 0..60 {
            for _ in 0..100 {
                let seen = keys.snapshot().fetch_number();
                let before = provider.requests();
                drop(keys.refresh_for_unknown_key(seen).await);
                if provider.requests() > before {
                    fetches.push(Instant::now());
                }
            }
            advance(SECOND).await;
        }
        // A failure is also followed by scheduled retries, which no request waits for.
        assert_eq!(fetches.len(), 2, "case {case}");
        assert_eq!(fetches[1] - fetches[0], 30 * SECOND, "case {case}");
        assert!(provider.requests() <= 12, "case {case}: {} requests", provider.requests());
    }
}

#[tokio::test(start_paused = true)]
async fn during_the_cool_down_nobody_waits() {
    let (provider, keys) = rotated().await;
    let seen = keys.refresh_for_unknown_key(keys.snapshot().fetch_number()).await.fetch_number();
    provider.answer(|_| Reply::Never);
    let begun = Instant::now();
    for _ in 0..1000 {
        assert_eq!(keys.refresh_for_unknown_key(seen).await.fetch_number(), seen);
    }
    assert_eq!((provider.requests(), begun.elapsed()), (2, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn waiting_is_bounded_and_the_fetch_goes_on() {
    let (provider, keys) = rotated().await;
    let set = set_of("late");
    provider.answer(move |_| Reply::json(set.clone()).after(4 * SECOND));
    let begun = Instant::now();
    let seen = keys.snapshot().fetch_number();
    let refreshed = keys.refresh_for_unknown_key(seen).await;
    assert_eq!(begun.elapsed(), 2 * SECOND);
    assert!(has(&refreshed, "old") && refreshed.fetch_number() == seen);
    drop(refreshed);
    sleep(2 * SECOND).await;
    settle().await;
    assert!(has(&keys.snapshot(), "late"));
    assert_eq!(provider.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_does_not_stop_the_fetch() {
    let (provider, keys) = rotated().await;
    let set = set_of("new");
    provider.answer(move |_| Reply::json(set.clone()).after(SECOND));
    let seen = keys.snapshot().fetch_number();
    let given_up = timeout(SECOND / 2, keys.refresh_for_unknown_key(seen)).await;
    assert!(given_up.is_err());
    sleep(SECOND).await;
    assert!(has(&keys.snapshot(), "new"));
}

#[tokio::test(start_paused = true)]
async fn a_set_that_is_newer_than_the_one_seen_is_returned_without_a_fetch() {
    let (provider, keys) = rotated().await;
    let seen = keys.snapshot().fetch_number();
    drop(keys.refresh_for_unknown_key(seen).await);
    advance(31 * SECOND).await;
    provider.answer(|_| Reply::Never);
    let begun = Instant::now();
    assert!(has(&keys.refresh_for_unknown_key(seen).await, "new"));
    assert_eq!((provider.requests(), begun.elapsed()), (2, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn requests_join_a_scheduled_fetch_and_leave_the_cool_down_alone() {
    let set = set_of("first");
    let provider = Provider::new(move |_| Reply::json(set.clone()).after(SECOND));
    let keys = provider.keys();
    settle().await;
    assert_eq!(provider.requests(), 1);
    assert!(has(&keys.refresh_for_unknown_key(0).await, "first"));
    assert_eq!(provider.requests(), 1, "the first fetch was under way");
    let seen = keys.snapshot().fetch_number();
    provider.publish(set_of("second"));
    assert!(has(&keys.refresh_for_unknown_key(seen).await, "second"));
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_fetch_serves_a_request_of_the_same_moment() {
    let (provider, keys) = rotated().await;
    // The task has not run yet when the request comes.
    advance(5 * MINUTE).await;
    let seen = keys.snapshot().fetch_number();
    assert!(has(&keys.refresh_for_unknown_key(seen).await, "new"));
    settle().await;
    sleep(SECOND).await;
    assert_eq!(provider.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_for_an_unknown_key_restarts_the_refresh_interval() {
    let (provider, keys) = rotated().await;
    sleep(4 * MINUTE).await;
    drop(keys.refresh_for_unknown_key(keys.snapshot().fetch_number()).await);
    assert_eq!(provider.requests(), 2);
    sleep(4 * MINUTE).await;
    assert_eq!(provider.requests(), 2, "the interval begins with the latest fetch");
}

#[tokio::test(start_paused = true)]
async fn the_cool_down_and_the_wait_timeout_can_be_set() {
    let provider = Provider::with_set(set_of("key"));
    let keys = provider
        .configure(RemoteKeySet::from_jwks_url(JWKS_URL))
        .cool_down(5 * SECOND)
        .wait_timeout(SECOND)
        .build()
        .unwrap();
    keys.ready().await;
    provider.answer(|_| Reply::Never);
    let seen = keys.snapshot().fetch_number();
    let begun = Instant::now();
    drop(keys.refresh_for_unknown_key(seen).await);
    assert_eq!(begun.elapsed(), SECOND);
    let set = set_of("new");
    provider.publish(set);
    advance(4 * SECOND).await;
    settle().await;
    assert!(has(&keys.refresh_for_unknown_key(seen).await, "new"));
}
