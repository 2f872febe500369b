//! Several issuers with fetched keys, added and removed while serving.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{AuthError, ConfigError, Verifier};
use tower_jwt_auth_tests::harness::{call_behind, reason};

use super::{OK, Provider, UNAUTHORIZED, UNAVAILABLE, layer, trust};

#[tokio::test(start_paused = true)]
async fn the_key_of_one_issuer_does_not_verify_tokens_of_another() {
    let (one, other) =
        (Provider::new("https://one.example"), Provider::new("https://other.example"));
    let keys = |provider: &Provider| provider.remote().build().unwrap();
    let verifier = Verifier::new(trust(&one, keys(&one))).and_trust(trust(&other, keys(&other)));
    let auth = layer(verifier.unwrap());
    for provider in [&one, &other] {
        assert_eq!(call_behind(&auth, &provider.token("first").sign()).await.status, OK);
    }
    let mut crossed = one.token("first");
    crossed.builder = crossed.builder.claim("iss", "https://other.example");
    let response = call_behind(&auth, &crossed.sign()).await;
    assert_eq!(reason(&response), AuthError::Token(TokenError::Signature));
    // Nor by a key id that only the first has.
    one.add_key("second");
    let mut crossed = one.token("second");
    crossed.builder = crossed.builder.claim("iss", "https://other.example");
    let response = call_behind(&auth, &crossed.sign()).await;
    assert_eq!(reason(&response), AuthError::Token(TokenError::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn issuers_are_added_and_removed_while_serving() {
    let (one, other) =
        (Provider::new("https://one.example"), Provider::new("https://other.example"));
    let verifier = Verifier::new(trust(&one, one.remote().build().unwrap()));
    let issuers = verifier.issuers().clone();
    let auth = layer(verifier);
    let token = other.token("first").sign();
    assert_eq!(reason(&call_behind(&auth, &token).await), AuthError::Token(TokenError::Issuer));
    issuers.insert(trust(&other, other.remote().build().unwrap())).unwrap();
    assert_eq!(call_behind(&auth, &token).await.status, OK);
    let again = issuers.insert(trust(&other, other.remote().build().unwrap()));
    assert!(matches!(again, Err(ConfigError::DuplicateIssuer { .. })));
    assert!(issuers.remove("https://other.example"));
    assert!(!issuers.remove("https://other.example"));
    assert_eq!(reason(&call_behind(&auth, &token).await), AuthError::Token(TokenError::Issuer));
    assert_eq!(call_behind(&auth, &one.token("first").sign()).await.status, OK);
    assert_eq!(issuers.names(), ["https://one.example"]);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_removed_while_a_request_waits_is_not_trusted() {
    let provider = Provider::new("https://login.example");
    let keys = provider.remote().build().unwrap();
    keys.ready().await;
    let verifier = Verifier::new(trust(&provider, keys));
    let issuers = verifier.issuers().clone();
    let auth = layer(verifier);
    provider.add_key("second");
    provider.set_delay(Duration::from_secs(1));
    let token = provider.token("second").sign();
    let remove = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(issuers.remove("https://login.example"));
    };
    let (response, ()) = tokio::join!(call_behind(&auth, &token), remove);
    assert_eq!(reason(&response), AuthError::Token(TokenError::Issuer));
}

#[tokio::test(start_paused = true)]
async fn issuers_of_a_copy_are_not_those_of_the_original() {
    let (one, other) =
        (Provider::new("https://one.example"), Provider::new("https://other.example"));
    let verifier = Verifier::new(trust(&one, one.remote().build().unwrap()));
    let more = verifier.clone().and_trust(trust(&other, other.remote().build().unwrap())).unwrap();
    assert_eq!((verifier.issuers().names().len(), more.issuers().names().len()), (1, 2));
    // Clones share later changes.
    assert!(more.clone().issuers().remove("https://one.example"));
    assert_eq!((verifier.issuers().names().len(), more.issuers().names().len()), (1, 1));
}

/// Tenants of one provider whose names are in a list.
fn tenants(max: usize) -> (Vec<Provider>, Verifier, Arc<AtomicUsize>) {
    let providers: Vec<Provider> =
        ["a", "b", "c"].map(|name| Provider::new(&format!("https://login.example/{name}"))).into();
    let own = Provider::new("https://own.example");
    let resolved = Arc::new(AtomicUsize::new(0));
    let (known, count) = (providers.clone(), Arc::clone(&resolved));
    let verifier = Verifier::new(trust(&own, own.remote().build().unwrap()))
        .and_trust_where(max, move |iss| {
            let provider = known.iter().find(|provider| provider.name == iss)?;
            count.fetch_add(1, Ordering::SeqCst);
            Some(trust(provider, provider.remote().build().ok()?))
        })
        .unwrap();
    (providers, verifier, resolved)
}

#[tokio::test(start_paused = true)]
async fn a_tenant_is_trusted_when_its_first_token_comes() {
    let (providers, verifier, resolved) = tenants(64);
    let auth = layer(verifier);
    for provider in &providers {
        assert_eq!(provider.fetches(), 0);
        for _ in 0..3 {
            assert_eq!(call_behind(&auth, &provider.token("first").sign()).await.status, OK);
        }
        assert_eq!(provider.fetches(), 1);
    }
    assert_eq!(resolved.load(Ordering::SeqCst), 3);
    let mut crossed = providers[0].token("first");
    crossed.builder = crossed.builder.claim("iss", providers[1].name.as_str());
    let response = call_behind(&auth, &crossed.sign()).await;
    assert_eq!(reason(&response), AuthError::Token(TokenError::Signature));
    // An unknown tenant causes no fetch.
    let mut unknown = providers[0].token("first");
    unknown.builder = unknown.builder.claim("iss", "https://login.example/d");
    call_behind(&auth, &unknown.sign()).await.assert_refused(UNAUTHORIZED, "invalid_token");
    assert_eq!(providers.iter().map(Provider::fetches).sum::<usize>(), 3);
}

#[tokio::test(start_paused = true)]
async fn tenants_on_probation_take_the_places_that_are_left() {
    let (providers, verifier, _) = tenants(2);
    let auth = layer(verifier);
    assert_eq!(call_behind(&auth, &providers[0].token("first").sign()).await.status, OK);
    // A token that its issuer has not signed leaves the issuer on probation, in the only place that is left.
    let mut other = providers[0].token("first");
    other.builder = other.builder.claim("iss", providers[1].name.as_str());
    assert_eq!(call_behind(&auth, &other.sign()).await.status, UNAUTHORIZED);
    let response = call_behind(&auth, &providers[2].token("first").sign()).await;
    response.assert_refused(UNAVAILABLE, "temporarily_unavailable");
    // The issuer in use keeps its place, and a good token ends the probation.
    assert_eq!(call_behind(&auth, &providers[0].token("first").sign()).await.status, OK);
    assert_eq!(call_behind(&auth, &providers[1].token("first").sign()).await.status, OK);
}

#[tokio::test]
async fn the_number_of_resolved_issuers_is_checked() {
    let own = Provider::new("https://own.example");
    let verifier = Verifier::new(trust(&own, own.remote().build().unwrap()));
    for max in [0, 1, 10_001] {
        let error = verifier.clone().and_trust_where(max, |_| None).unwrap_err();
        assert!(matches!(error, ConfigError::Number { given, .. } if given == max), "{error}");
    }
}
