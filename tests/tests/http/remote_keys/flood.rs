//! Made-up keys and issuers cause a bounded number of fetches and do not keep honest requests waiting.

use std::time::Duration;

use tokio::time::Instant;
use tower_jwt_auth::Verifier;
use tower_jwt_auth_tests::harness::call_behind;

use super::{OK, Provider, UNAUTHORIZED, UNAVAILABLE, layer, trust};

const REQUESTS: usize = 100_000;
/// The time of the flood in seconds, by the paused clock.
const SECONDS: usize = 100;
/// Fetches for unknown keys, once in the cool-down of 30 seconds from the first one on.
const FOR_UNKNOWN_KEYS: usize = SECONDS / 30 + 1;
/// The first fetch, and the scheduled one after at most a minute each, while no set is fresh for longer.
const SCHEDULED: usize = 1 + SECONDS / 54 + 1;

#[tokio::test(start_paused = true)]
async fn made_up_key_ids_cause_one_fetch_in_the_cool_down() {
    let provider = Provider::new("https://login.example");
    let keys = provider.remote().build().unwrap();
    keys.ready().await;
    let auth = layer(Verifier::new(trust(&provider, keys)));
    let honest = provider.token("first");
    let good = honest.sign();
    // The signature is that of another key id: an unknown key is found before the signature is looked at.
    let signature = good.rsplit_once('.').unwrap().1;
    for n in 0..REQUESTS {
        let made_up =
            honest.builder.clone().header("kid", format!("{n}-made-up")).with_signature(signature);
        assert_eq!(call_behind(&auth, &made_up).await.status, UNAUTHORIZED);
        if n % 1000 == 0 {
            let begun = Instant::now();
            assert_eq!(call_behind(&auth, &good).await.status, OK);
            assert_eq!(begun.elapsed(), Duration::ZERO, "an honest request waited");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    let fetches = provider.fetches();
    assert!(fetches <= FOR_UNKNOWN_KEYS + SCHEDULED, "{fetches}");
    assert!(fetches > FOR_UNKNOWN_KEYS, "each cool-down allows one: {fetches}");
}

#[tokio::test(start_paused = true)]
async fn made_up_key_ids_cause_one_fetch_in_the_cool_down_while_the_set_is_empty() {
    let provider = Provider::new("https://login.example");
    let honest = provider.token("first");
    let signature = honest.sign();
    let signature = signature.rsplit_once('.').unwrap().1;
    provider.withdraw_keys();
    let keys = provider.remote().build().unwrap();
    let auth = layer(Verifier::new(trust(&provider, keys)));
    for n in 0..REQUESTS {
        let made_up =
            honest.builder.clone().header("kid", format!("{n}-made-up")).with_signature(signature);
        assert_eq!(call_behind(&auth, &made_up).await.status, UNAVAILABLE);
        if n % 1000 == 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    // Failures are repeated with a backoff from 1 second to 1 minute: 8 fetches at most in the first 100 seconds.
    let fetches = provider.fetches();
    assert!(fetches <= FOR_UNKNOWN_KEYS + 8 + 4, "{fetches}");
    assert!(fetches > FOR_UNKNOWN_KEYS, "each cool-down allows one: {fetches}");
}

#[tokio::test(start_paused = true)]
async fn made_up_issuers_cause_no_fetch() {
    let provider = Provider::new("https://login.example");
    let keys = provider.remote().build().unwrap();
    keys.ready().await;
    let auth = layer(Verifier::new(trust(&provider, keys)));
    let honest = provider.token("first");
    let signature = honest.sign();
    let signature = signature.rsplit_once('.').unwrap().1;
    for n in 0..REQUESTS {
        let issuer = format!("https://login.example/{n}");
        let made_up = honest.builder.clone().claim("iss", issuer).with_signature(signature);
        assert_eq!(call_behind(&auth, &made_up).await.status, UNAUTHORIZED);
    }
    assert_eq!(provider.fetches(), 1);
}
