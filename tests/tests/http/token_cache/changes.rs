//! Keys and issuers that change while tokens are in the cache.

use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth::keys::KeyRing;
use tower_jwt_auth::store::{Clock as _, ManualClock};
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{AuthError, Issuer, JwtAuthLayer, RevocationList, TrustedIssuer, Verifier};
use tower_jwt_auth_tests::harness::START;
use tower_jwt_auth_tests::{AUDIENCE, ISSUER};

use super::{
    Counted, accepts, during_next_verification, keeps, key, keys, layer, rejection, signer, token,
    trusted, verifications,
};

const UNKNOWN_KEY: AuthError = AuthError::Token(TokenError::UnknownKey);
const UNKNOWN_ISSUER: AuthError = AuthError::Token(TokenError::Issuer);

fn own() -> (Issuer, JwtAuthLayer<Counted>, Arc<ManualClock>) {
    let issuer = Issuer::new(ISSUER, AUDIENCE, key("key")).unwrap();
    let (auth, clock) = layer(Verifier::new(&issuer), RevocationList::none());
    (issuer, auth, clock)
}

#[tokio::test]
async fn a_token_of_a_withdrawn_key_is_rejected_at_the_next_request() {
    let (issuer, auth, _) = own();
    let token = token().sign(&signer());
    keeps(&auth, &token).await;
    issuer.key_ring().replace(KeyRing::new(key("other")));
    assert_eq!(rejection(&auth, &token).await, UNKNOWN_KEY);
    // The key comes back: the token is verified again.
    issuer.key_ring().replace(KeyRing::new(key("key")));
    keeps(&auth, &token).await;
}

/// The stamp is read before the keys: read after the verification, it would be that of the new ring.
#[tokio::test]
async fn a_key_that_is_withdrawn_during_a_verification_verifies_no_later_request() {
    let (issuer, auth, _) = own();
    let token = token().sign(&signer());
    let ring = issuer.key_ring().clone();
    accepts(&auth, &token).await;
    during_next_verification(move || ring.replace(KeyRing::new(key("other"))));
    accepts(&auth, &token).await;
    assert_eq!(rejection(&auth, &token).await, UNKNOWN_KEY);
}

#[tokio::test]
async fn a_cached_token_does_not_outlive_the_acceptance_of_a_retired_key() {
    let (issuer, auth, clock) = own();
    let other = tower_jwt_auth::SigningKey::generate().unwrap();
    let ring = KeyRing::new(other);
    issuer
        .key_ring()
        .replace(ring.with_previous(keys("key").keys().next().unwrap().clone(), START).unwrap());
    // Somebody who has found the retired key makes a token that lasts for a day.
    let token = token().claim("exp", START.unix_seconds() + 24 * 3600).sign(&signer());
    keeps(&auth, &token).await;
    // The lifetime of access tokens and twice the leeway.
    clock.set(START + Duration::from_secs(310));
    accepts(&auth, &token).await;
    assert_eq!(verifications(), 0);
    clock.advance(Duration::from_millis(1));
    assert_eq!(rejection(&auth, &token).await, UNKNOWN_KEY);
}

#[tokio::test]
async fn a_token_of_an_issuer_that_is_no_longer_trusted_is_rejected_at_the_next_request() {
    let verifier = Verifier::new(trusted("https://first.example"));
    let issuers = verifier.issuers().clone();
    issuers.insert(trusted(ISSUER)).unwrap();
    let (auth, _) = layer(verifier, RevocationList::none());
    let token = token().sign(&signer());
    keeps(&auth, &token).await;
    assert!(issuers.remove(ISSUER));
    assert_eq!(rejection(&auth, &token).await, UNKNOWN_ISSUER);
    // The issuer comes back with another rule.
    issuers
        .insert(TrustedIssuer::new(ISSUER, "https://other.example", keys("key")).unwrap())
        .unwrap();
    assert_eq!(rejection(&auth, &token).await, AuthError::Token(TokenError::Audience));
}

#[tokio::test]
async fn an_issuer_that_is_removed_during_a_verification_is_not_trusted_afterwards() {
    let verifier = Verifier::new(trusted("https://first.example"));
    let issuers = verifier.issuers().clone();
    issuers.insert(trusted(ISSUER)).unwrap();
    let (auth, _) = layer(verifier, RevocationList::none());
    let token = token().sign(&signer());
    accepts(&auth, &token).await;
    during_next_verification(move || assert!(issuers.remove(ISSUER)));
    accepts(&auth, &token).await;
    assert_eq!(rejection(&auth, &token).await, UNKNOWN_ISSUER);
}

#[tokio::test]
async fn a_change_of_one_issuer_costs_the_others_one_verification() {
    let verifier = Verifier::new(trusted(ISSUER));
    let issuers = verifier.issuers().clone();
    let (auth, _) = layer(verifier, RevocationList::none());
    let token = token().sign(&signer());
    keeps(&auth, &token).await;
    issuers.insert(trusted("https://other.example")).unwrap();
    for _ in 0..3 {
        accepts(&auth, &token).await;
    }
    assert_eq!(verifications(), 1);
}

#[tokio::test]
async fn layers_with_other_settings_share_the_cache_and_judge_by_their_own() {
    let (_, auth, clock) = own();
    let later = Arc::new(ManualClock::at(clock.now() + Duration::from_secs(3600)));
    let other = auth.clone().with_clock(later).with_realm("other").unwrap();
    let token = token().sign(&signer());
    keeps(&auth, &token).await;
    assert_eq!(rejection(&other, &token).await, AuthError::Token(TokenError::Expired));
    accepts(&auth, &token).await;
}
