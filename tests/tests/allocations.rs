//! The number of allocations on the access path. An increase deserves a review.
//!
//! This is a separate test binary, because the counter is the global allocator.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::convert::Infallible;
use std::future::{Ready, ready};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use tower::{Layer, Service, service_fn};
use tower_jwt_auth::{
    Algorithm, Identity, Issuer, JwtAuthLayer, MemoryStore, RefreshSecrets, Sessions, SignIn,
    SigningKey, Timestamp, Verifier,
};

#[derive(Serialize, Deserialize)]
struct Profile {
    name: String,
}

fn inner(_: Request<Full<Bytes>>) -> Ready<Result<Response<Full<Bytes>>, Infallible>> {
    ready(Ok(Response::new(Full::default())))
}

async fn sessions(algorithm: Algorithm) -> (Sessions<Profile>, String) {
    let key = SigningKey::generate_for(algorithm).unwrap();
    let issuer = Issuer::new("https://i.example", "https://a.example", key).unwrap();
    let secrets = RefreshSecrets::generate().unwrap();
    let sessions =
        Sessions::builder(issuer, secrets, MemoryStore::new()).claims::<Profile>().build().unwrap();
    sessions.revocations().ready().await;
    let who =
        SignIn::new("alice").with_claims(Profile { name: "Alice".into() }).with_scope("read write");
    let tokens = sessions.start(who).await.unwrap();
    (sessions, tokens.access().as_str().to_owned())
}

#[tokio::test]
async fn a_request_with_a_good_token_allocates_seven_times() {
    let (sessions, token) = sessions(Algorithm::HS256).await;
    let mut service = JwtAuthLayer::for_sessions(&sessions).layer(service_fn(inner));
    let mut call = || {
        let request = Request::builder()
            .header("authorization", format!("Bearer {token}"))
            .body(Full::<Bytes>::default())
            .unwrap();
        let mut ok = false;
        let counted = allocation_counter::measure(|| {
            let answer = service.call(request).now_or_never().expect("the service should not wait");
            ok = answer.unwrap().status().is_success();
        });
        assert!(ok);
        counted.count_total
    };
    call();
    // Four allocations for the identity, as below, and three for the request's extensions: the map, its table and the
    // box of the value.
    assert_eq!(call(), 7);
}

#[tokio::test]
async fn verifying_alone_allocates_four_times() {
    for algorithm in Algorithm::ALL.iter().copied() {
        assert_eq!(allocations_to_verify(algorithm).await, 4, "{algorithm}");
    }
}

/// Returns the number of allocations for the verification of a token of this algorithm.
async fn allocations_to_verify(algorithm: Algorithm) -> u64 {
    let (sessions, token) = sessions(algorithm).await;
    let verifier = Verifier::new(sessions.issuer()).with_claims::<Profile>();
    let now = Timestamp::from(std::time::SystemTime::now());
    let verify = || {
        let mut identity: Option<Identity> = None;
        let counted = allocation_counter::measure(|| {
            identity = verifier.verify(&token, now).ok();
        });
        assert_eq!(identity.unwrap().claims::<Profile>().unwrap().name, "Alice");
        counted.count_total
    };
    verify();
    // The names of the application's claims (to find duplicates), the text of its one claim, the token's own texts in
    // one allocation, and the shared identity that holds them.
    verify()
}

#[tokio::test]
async fn verifying_without_claims_of_the_application_allocates_three_times() {
    let (sessions, token) = sessions(Algorithm::EdDSA).await;
    let verifier = Verifier::new(sessions.issuer());
    let now = Timestamp::from(std::time::SystemTime::now());
    let verify = || {
        let mut identity: Option<Identity> = None;
        let counted = allocation_counter::measure(|| {
            identity = verifier.verify(&token, now).ok();
        });
        assert_eq!(identity.unwrap().subject(), "alice");
        counted.count_total
    };
    verify();
    // As above, without the text of the application's claim.
    assert_eq!(verify(), 3);
}

#[tokio::test]
async fn cloning_an_identity_allocates_nothing() {
    let (sessions, token) = sessions(Algorithm::EdDSA).await;
    let verifier = Verifier::new(sessions.issuer()).with_claims::<Profile>();
    let identity = verifier.verify(&token, std::time::SystemTime::now().into()).unwrap();
    let counted = allocation_counter::measure(|| drop(identity.clone()));
    assert_eq!(counted.count_total, 0);
}
