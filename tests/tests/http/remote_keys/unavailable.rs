//! An issuer whose keys are unavailable.

use std::time::Duration;

use tower_jwt_auth::store::ManualClock;
use tower_jwt_auth::{JwtAuthLayer, RevocationList, Verifier};
use tower_jwt_auth_tests::TestResponse;
use tower_jwt_auth_tests::harness::{START, call_behind};

use super::{OK, Provider, UNAUTHORIZED, UNAVAILABLE, layer, trust};

#[track_caller]
fn assert_unavailable(response: &TestResponse) {
    response.assert_refused(UNAVAILABLE, "temporarily_unavailable");
    let seconds: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&seconds), "{seconds}");
    assert_eq!(response.challenge(), None, "the client must keep its token");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_at_the_start_causes_503_until_it_is_up() {
    let provider = Provider::new("https://login.example");
    provider.set_up(false);
    let keys = provider.remote().build().unwrap();
    let auth = layer(Verifier::new(trust(&provider, keys.clone())));
    let token = provider.token("first").sign();
    assert_unavailable(&call_behind(&auth, &token).await);
    provider.set_up(true);
    keys.ready().await;
    assert_eq!(call_behind(&auth, &token).await.status, OK);
}

#[tokio::test(start_paused = true)]
async fn the_first_request_waits_for_the_first_set() {
    let provider = Provider::new("https://login.example");
    provider.set_delay(Duration::from_secs(1));
    let keys = provider.remote().build().unwrap();
    let auth = layer(Verifier::new(trust(&provider, keys)));
    assert_eq!(call_behind(&auth, &provider.token("first").sign()).await.status, OK);
    assert_eq!(provider.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn keys_stay_in_use_while_the_provider_is_down_up_to_their_maximum_age() {
    let provider = Provider::new("https://login.example");
    let clock = std::sync::Arc::new(ManualClock::at(START));
    let keys = provider.remote().max_age(Duration::from_secs(7200)).clock(clock.clone());
    let keys = keys.build().unwrap();
    keys.ready().await;
    let verifier = Verifier::new(trust(&provider, keys));
    // The layer's clock stands still, so that the token does not expire.
    let auth =
        JwtAuthLayer::new(verifier, RevocationList::none()).with_clock(ManualClock::at(START));
    let token = provider.token("first").sign();
    provider.set_up(false);
    clock.advance(Duration::from_secs(7200));
    assert_eq!(call_behind(&auth, &token).await.status, OK);
    clock.advance(Duration::from_secs(1));
    assert_unavailable(&call_behind(&auth, &token).await);
    provider.set_up(true);
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(call_behind(&auth, &token).await.status, OK);
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_is_rejected_after_the_refresh_interval() {
    let provider = Provider::new("https://login.example");
    let keys = provider.remote().max_refresh_interval(Duration::from_secs(120)).build().unwrap();
    keys.ready().await;
    let auth = layer(Verifier::new(trust(&provider, keys)));
    let token = provider.token("first").sign();
    provider.withdraw_keys();
    provider.add_key("second");
    let new = provider.token("second").sign();
    tokio::time::sleep(Duration::from_secs(121)).await;
    call_behind(&auth, &token).await.assert_refused(UNAUTHORIZED, "invalid_token");
    assert_eq!(call_behind(&auth, &new).await.status, OK);
    // A set without keys withdraws all of them. It is not known whether the key of this token is.
    provider.withdraw_keys();
    tokio::time::sleep(Duration::from_secs(121)).await;
    assert_unavailable(&call_behind(&auth, &new).await);
}

#[tokio::test(start_paused = true)]
async fn a_bad_token_is_rejected_without_keys_if_its_claims_are_reason_enough() {
    let provider = Provider::new("https://login.example");
    provider.set_up(false);
    let keys = provider.remote().build().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let fetches = provider.fetches();
    let auth = layer(Verifier::new(trust(&provider, keys)));
    let mut token = provider.token("first");
    token.builder = token.builder.claim("aud", "another");
    call_behind(&auth, &token.sign()).await.assert_refused(UNAUTHORIZED, "invalid_token");
    assert_eq!(provider.fetches(), fetches);
}
