//! Scheduled fetches.

use super::*;

/// The times between the requests of two days, in seconds.
async fn gaps(provider: &Provider, builder: RemoteKeySetBuilder) -> Vec<f64> {
    let keys = provider.configure(builder).build().unwrap();
    sleep(48 * HOUR).await;
    assert!(has(&keys.snapshot(), "key"));
    provider.times().windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect()
}

fn with_header(name: &'static str, value: &'static str) -> Provider {
    let set = set_of("key");
    Provider::new(move |_| Reply::json(set.clone()).with_header(name, value))
}

#[tokio::test(start_paused = true)]
async fn the_response_sets_the_interval_within_its_bounds() {
    for (name, value, longest) in [
        ("cache-control", "max-age=600", 600.0),
        ("cache-control", "public, max-age=1", 60.0),
        ("cache-control", "no-store", 60.0),
        ("cache-control", "max-age=31536000", 3600.0),
        ("etag", "\"1\"", 300.0),
    ] {
        let provider = with_header(name, value);
        let gaps = gaps(&provider, RemoteKeySet::from_jwks_url(JWKS_URL)).await;
        for gap in gaps {
            let range = longest * 0.9 - 0.01..=longest + 0.01;
            assert!(range.contains(&gap), "{name}: {value}: {gap}");
        }
    }
    // Fresh for 1000 seconds by the clock of the test, and then stale.
    let provider = with_header("expires", "Tue, 14 Nov 2023 22:30:00 GMT");
    let gaps = gaps(&provider, RemoteKeySet::from_jwks_url(JWKS_URL)).await;
    assert!((900.0..=1000.1).contains(&gaps[0]), "{}", gaps[0]);
    assert!(gaps[3..].iter().all(|gap| (60.0..=60.1).contains(gap)), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn the_bounds_of_the_interval_can_be_set() {
    let provider = with_header("cache-control", "max-age=1");
    let builder = RemoteKeySet::from_jwks_url(JWKS_URL).min_refresh_interval(10 * MINUTE);
    let gaps = gaps(&provider, builder).await;
    assert!(gaps.iter().all(|gap| (600.0..=600.1).contains(gap)), "{gaps:?}");

    let provider = with_header("cache-control", "max-age=3600");
    let builder = RemoteKeySet::from_jwks_url(JWKS_URL).max_refresh_interval(2 * MINUTE);
    let gaps = self::gaps(&provider, builder).await;
    assert!(gaps.iter().all(|gap| (108.0..=120.1).contains(gap)), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rotation_is_noticed_without_a_request() {
    let provider = Provider::with_set(set_of("old"));
    let keys = provider.keys();
    keys.ready().await;
    provider.publish(set_of("new"));
    sleep(6 * MINUTE).await;
    assert!(has(&keys.snapshot(), "new") && !has(&keys.snapshot(), "old"));
}

#[tokio::test(start_paused = true)]
async fn the_same_document_makes_the_keys_young_again() {
    let provider = Provider::with_set(set_of("key"));
    let keys = provider.keys();
    keys.ready().await;
    let seen = keys.snapshot().fetch_number();
    sleep(48 * HOUR).await;
    assert!(has(&keys.snapshot(), "key"));
    assert!(keys.snapshot().fetch_number() > seen);
}

/// Tokens in a cache are verified again after a change of the keys, and only then.
#[tokio::test(start_paused = true)]
async fn a_stamp_outlasts_the_same_keys_and_ends_with_others() {
    let clock =
        Arc::new(tower_jwt_auth_core::ManualClock::at(Timestamp::from_unix_seconds(1_700_000_000)));
    let provider = Provider::with_set(set_of("key"));
    let keys = provider.configure(RemoteKeySet::from_jwks_url(JWKS_URL));
    let keys = keys.clock(clock.clone()).build().unwrap();
    keys.ready().await;
    let stamp = || keys.snapshot().stamp(clock.clone());
    let is_current = |stamp: &crate::keys::KeyStamp| stamp.is_current(Timestamp::MAX);
    let first = stamp();
    sleep(48 * HOUR).await;
    assert!(is_current(&first), "the keys are the same");
    provider.publish(set_of("other"));
    sleep(HOUR).await;
    let second = stamp();
    assert!(!is_current(&first) && is_current(&second));
    provider.publish(r#"{"keys":[]}"#.to_owned());
    sleep(HOUR).await;
    assert!(!is_current(&second));
    provider.publish(set_of("other"));
    sleep(HOUR).await;
    let third = stamp();
    assert!(!is_current(&second) && is_current(&third));
    clock.advance(25 * HOUR);
    assert!(!is_current(&third), "the keys are too old by the clock of the set");
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_handle() {
    let provider = Provider::with_set(set_of("key"));
    let keys = provider.keys();
    let clone = keys.clone();
    keys.ready().await;
    drop(keys);
    sleep(HOUR).await;
    let before = provider.requests();
    assert!(before > 10, "a clone keeps it running");
    drop(clone);
    sleep(24 * HOUR).await;
    assert_eq!(provider.requests(), before);
    assert_eq!(Arc::strong_count(&provider.0), 1, "the client is dropped");
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_stops_a_fetch_that_is_running() {
    let provider = Provider::new(|_| Reply::Never);
    let keys = provider.keys();
    settle().await;
    assert_eq!(provider.requests(), 1);
    drop(keys);
    settle().await;
    assert_eq!(Arc::strong_count(&provider.0), 1);
}
