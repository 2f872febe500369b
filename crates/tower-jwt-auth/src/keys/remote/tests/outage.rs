//! Providers that are down or send malformed responses.

use tokio::time::timeout;

use super::*;
use crate::keys::FetchErrorKind;
use crate::keys::remote::snapshot::UnavailableReason;

fn reason(keys: &RemoteKeySet) -> Option<UnavailableReason> {
    keys.snapshot().keys().err().map(|unavailable| unavailable.reason)
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_at_the_start_is_queried_until_keys_arrive() {
    let provider = Provider::new(|_| Reply::Refused);
    let keys = provider.keys();
    assert_eq!(reason(&keys), Some(UnavailableReason::Pending));
    assert!(timeout(10 * MINUTE, keys.ready()).await.is_err());
    assert_eq!(reason(&keys), Some(UnavailableReason::Pending));

    let times = provider.times();
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (at, gap) in gaps.iter().enumerate() {
        let longest = (SECOND * 2_u32.pow(at.min(6) as u32)).min(MINUTE);
        assert!((longest / 2..=longest + SECOND / 100).contains(gap), "{at}: {gap:?}");
    }
    assert!((14..30).contains(&gaps.len()), "{} retries in 10 minutes", gaps.len());

    provider.publish(set_of("key"));
    timeout(MINUTE, keys.ready()).await.expect("keys arrive with the next retry");
    assert!(has(&keys.snapshot(), "key"));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_the_time_of_the_next_attempt() {
    let provider = Provider::new(|_| Reply::Refused);
    let keys = provider.keys();
    sleep(5 * MINUTE).await;
    let unavailable = keys.snapshot().keys().unwrap_err();
    assert!(unavailable.retry_after > Duration::ZERO && unavailable.retry_after <= MINUTE);
    let before = provider.requests();
    sleep(unavailable.retry_after - SECOND / 100).await;
    assert_eq!(provider.requests(), before);
    sleep(SECOND / 50).await;
    assert_eq!(provider.requests(), before + 1);
}

/// Asserts that a request without keys causes a fetch at a time when none is due, and waits for it.
async fn assert_a_request_fetches(provider: &Provider, keys: &RemoteKeySet) {
    while keys.snapshot().keys().unwrap_err().retry_after < 5 * SECOND {
        sleep(SECOND).await;
    }
    provider.publish(set_of("key"));
    let begun = Instant::now();
    assert!(has(&keys.refresh_for_unknown_key(0).await, "key"));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_keys_causes_a_fetch_and_waits_for_it() {
    let provider = Provider::new(|_| Reply::Refused);
    let keys = provider.keys();
    // The backoff is at a minute.
    sleep(5 * MINUTE).await;
    assert_a_request_fetches(&provider, &keys).await;
}

#[tokio::test(start_paused = true)]
async fn keys_stay_in_use_up_to_their_maximum_age() {
    let failures: [fn() -> Reply; 4] = [
        || Reply::Refused,
        || Reply::status(StatusCode::BAD_GATEWAY),
        || Reply::json("{}"),
        || Reply::json(r#"{"keys":7}"#),
    ];
    for failure in failures {
        let provider = Provider::with_set(set_of("key"));
        let keys = provider.keys();
        keys.ready().await;
        let fetched = Instant::now();
        provider.answer(move |_| failure());
        sleep(24 * HOUR - SECOND).await;
        assert!(has(&keys.snapshot(), "key"));
        assert_eq!(keys.status().keys(), 1);
        sleep(2 * SECOND).await;
        assert_eq!(reason(&keys), Some(UnavailableReason::Expired), "{:?}", fetched.elapsed());
        assert_eq!(keys.status().keys(), 0);

        provider.publish(set_of("next"));
        timeout(MINUTE, keys.ready()).await.unwrap();
        assert!(has(&keys.snapshot(), "next"));
    }
}

#[tokio::test(start_paused = true)]
async fn keys_age_by_the_wall_clock_while_the_machine_sleeps() {
    let provider = Provider::with_set(set_of("key"));
    let clock = Arc::new(tower_jwt_auth_core::ManualClock::at(Timestamp::UNIX_EPOCH));
    let keys = RemoteKeySet::from_jwks_url(JWKS_URL)
        .client(provider.clone())
        .clock(Arc::clone(&clock))
        .max_age(2 * HOUR)
        .build()
        .unwrap();
    keys.ready().await;
    clock.advance(2 * HOUR);
    assert!(has(&keys.snapshot(), "key"));
    clock.advance(SECOND);
    assert_eq!(reason(&keys), Some(UnavailableReason::Expired));
    // The request that notices it is served.
    let seen = keys.snapshot().fetch_number();
    assert!(has(&keys.refresh_for_unknown_key(seen).await, "key"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_set_withdraws_the_keys_and_is_fetched_again() {
    let unusable = r#"{"keys":[{"kty":"oct","kid":"secret","k":"AAAA"}]}"#;
    for empty in [r#"{"keys":[]}"#, unusable] {
        let provider = Provider::with_set(set_of("key"));
        let keys = provider.keys();
        keys.ready().await;
        let seen = keys.snapshot().fetch_number();
        provider.publish(empty.to_owned());
        let refreshed = keys.refresh_for_unknown_key(seen).await;
        let unavailable = refreshed.keys().unwrap_err();
        assert_eq!(unavailable.reason, UnavailableReason::Empty);
        assert!(unavailable.retry_after <= SECOND);
        assert!(refreshed.fetch_number() > seen);
        assert_eq!(keys.status().last_error(), Some(FetchErrorKind::NoKeys));
        assert!(timeout(MINUTE, keys.ready()).await.is_err());

        provider.publish(set_of("key"));
        timeout(MINUTE, keys.ready()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_counts_as_a_failure() {
    let provider = Provider::with_set(set_of("key"));
    let keys = provider.keys();
    keys.ready().await;
    provider.answer(|_| Reply::Panic);
    let begun = Instant::now();
    let seen = keys.snapshot().fetch_number();
    assert!(has(&keys.refresh_for_unknown_key(seen).await, "key"));
    assert!(begun.elapsed() <= 2 * SECOND);
    let before = provider.requests();
    sleep(10 * MINUTE).await;
    // One second of each pause is of the task that starts it again.
    assert!(provider.requests() - before < 30, "{} fetches", provider.requests() - before);
    provider.publish(set_of("next"));
    sleep(MINUTE + SECOND).await;
    assert!(has(&keys.snapshot(), "next"));
}

#[tokio::test(start_paused = true)]
async fn a_request_after_a_panic_causes_a_fetch() {
    let provider = Provider::new(|_| Reply::Panic);
    let keys = provider.keys();
    sleep(5 * MINUTE).await;
    // The task runs again, and its next fetch is not due.
    assert_a_request_fetches(&provider, &keys).await;
}

#[tokio::test(start_paused = true)]
async fn a_backoff_ends_with_the_first_success() {
    let provider = Provider::new(|_| Reply::Refused);
    let keys = provider.keys();
    sleep(10 * MINUTE).await;
    provider.publish(set_of("key"));
    keys.ready().await;
    provider.answer(|_| Reply::Refused);
    sleep(6 * MINUTE).await;
    let gaps: Vec<_> = provider.times().windows(2).map(|pair| pair[1] - pair[0]).collect();
    let success = gaps.iter().position(|gap| *gap > 2 * MINUTE).expect("the refresh interval");
    assert!(gaps[success + 1] <= SECOND + SECOND / 100, "{:?}", gaps[success + 1]);
}

#[tokio::test(start_paused = true)]
async fn status_counts_fetches_and_shows_the_last_error() {
    let provider = Provider::new(|_| Reply::status(StatusCode::NOT_FOUND));
    let keys = provider.keys();
    let start = Timestamp::from_unix_seconds(1_700_000_000);
    let status = keys.status();
    assert_eq!((status.keys(), status.fetches(), status.failures()), (0, 0, 0));
    assert_eq!((status.last_success(), status.last_error(), status.age()), (None, None, None));

    settle().await;
    let status = keys.status();
    assert_eq!((status.keys(), status.fetches(), status.failures()), (0, 1, 1));
    assert_eq!(status.consecutive_failures(), 1);
    assert_eq!(status.last_error(), Some(FetchErrorKind::Status));
    assert_eq!(status.last_failure(), Some(start));

    provider.publish(set_of("key"));
    keys.ready().await;
    sleep(30 * SECOND).await;
    let status = keys.status();
    assert_eq!((status.keys(), status.fetches(), status.failures()), (1, 2, 1));
    assert_eq!(status.consecutive_failures(), 0);
    assert_eq!(status.last_error(), Some(FetchErrorKind::Status), "it is kept");
    assert_eq!(status.age(), Some(30 * SECOND));
    assert!(status.last_success().is_some_and(|at| at > start && at <= start + SECOND));
}
