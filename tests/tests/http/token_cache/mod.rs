//! Tokens that are repeated. A layer keeps them when they come for the second time, and judges everything that can change
//! at each request.

mod changes;
mod content;
mod judged_again;
mod resolved_issuers;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use tower_jwt_auth::store::ManualClock;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, KeySet, RevocationList, SigningKey, TrustedIssuer, Verifier,
};
use tower_jwt_auth_tests::harness::{START, call_behind, reason};
use tower_jwt_auth_tests::token_builder::TokenBuilder;
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, TokenSigner};

thread_local! {
    static VERIFICATIONS: Cell<usize> = const { Cell::new(0) };
    static DURING_NEXT: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// Claims of an application that count how often they are read, which is once for each verification. Tests run on a
/// thread of their own.
#[derive(Serialize)]
struct Counted {
    name: String,
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            name: String,
        }
        VERIFICATIONS.set(VERIFICATIONS.get() + 1);
        // The signature has been verified by now, and the token is not in the cache yet.
        if let Some(change) = DURING_NEXT.take() {
            change();
        }
        Fields::deserialize(deserializer).map(|fields| Self { name: fields.name })
    }
}

/// Returns the number of verifications since the last call.
fn verifications() -> usize {
    VERIFICATIONS.replace(0)
}

/// Makes a change during the next verification, after the signature has been verified.
fn during_next_verification(change: impl FnOnce() + 'static) {
    DURING_NEXT.set(Some(Box::new(change)));
}

const SECRET: &[u8; 32] = b"a secret of tokens that repeat!!";

fn key(id: &str) -> SigningKey {
    SigningKey::from_secret(Algorithm::HS256, SECRET).unwrap().with_key_id(id)
}

fn keys(id: &str) -> KeySet {
    KeySet::new([key(id).verifying_key().clone()]).unwrap()
}

fn trusted(iss: &str) -> TrustedIssuer {
    TrustedIssuer::new(iss, AUDIENCE, keys("key")).unwrap()
}

fn signer() -> TokenSigner {
    TokenSigner::hs256(SECRET)
}

fn token() -> TokenBuilder {
    TokenBuilder::access("HS256", "key").claim("iss", ISSUER)
}

/// Creates a layer whose clock the test moves.
fn layer(verifier: Verifier, list: RevocationList) -> (JwtAuthLayer<Counted>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(START));
    let layer = JwtAuthLayer::new(verifier.with_claims(), list).with_clock(clock.clone());
    (layer, clock)
}

async fn accepts(auth: &JwtAuthLayer<Counted>, token: &str) {
    assert_eq!(call_behind(auth, token).await.status, StatusCode::OK);
}

/// Presents a token twice, after which it is in the cache.
async fn keeps(auth: &JwtAuthLayer<Counted>, token: &str) {
    verifications();
    accepts(auth, token).await;
    accepts(auth, token).await;
    assert_eq!(verifications(), 2);
}

/// Returns the reason why a token is rejected.
async fn rejection(auth: &JwtAuthLayer<Counted>, token: &str) -> tower_jwt_auth::AuthError {
    let response = call_behind(auth, token).await;
    assert_ne!(response.status, StatusCode::OK);
    reason(&response)
}

#[tokio::test]
async fn a_repeated_token_is_verified_twice() {
    let (auth, _) = layer(Verifier::new(trusted(ISSUER)), RevocationList::none());
    let token = token().sign(&signer());
    keeps(&auth, &token).await;
    accepts(&auth, &token).await;
    accepts(&auth.clone(), &token).await;
    assert_eq!(verifications(), 0, "the clones of a layer share the cache");
    let without = auth.clone().without_token_cache();
    for _ in 0..3 {
        accepts(&without, &token).await;
    }
    assert_eq!(verifications(), 3);
    let with_own = auth.with_token_cache(100, 256 * 1024).unwrap();
    keeps(&with_own, &token).await;
    accepts(&with_own, &token).await;
    assert_eq!(verifications(), 0);
}

#[tokio::test]
async fn the_bounds_of_the_cache_are_checked() {
    let (auth, _) = layer(Verifier::new(trusted(ISSUER)), RevocationList::none());
    for (tokens, bytes, is_valid) in [
        (99, 1 << 20, false),
        (100, 256 * 1024 - 1, false),
        (100, 256 * 1024, true),
        (100_000_000, 1 << 40, true),
        (100_000_001, 1 << 40, false),
    ] {
        assert_eq!(auth.clone().with_token_cache(tokens, bytes).is_ok(), is_valid, "{tokens}");
    }
}
