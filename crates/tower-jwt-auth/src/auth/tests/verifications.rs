//! Requests while as many signatures as may be are verified.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_jwt_auth_core::MemoryStore;

use super::*;
use crate::algorithm::Algorithm;
use crate::keys::{Admission as _, KeyRing};
use crate::{Issuer, RefreshSecrets, Sessions, SignIn, SigningKey};

struct Fixture {
    sessions: Sessions,
    auth: JwtAuthLayer,
}

async fn ok(_: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::default()))
}

type Answer = Pin<Box<dyn Future<Output = StatusCode> + Send>>;

impl Fixture {
    async fn new(algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::HS256 => {
                SigningKey::from_secret(algorithm, b"a secret of a test, which is 32.").unwrap()
            }
            _ => SigningKey::generate_for(algorithm).unwrap(),
        };
        let issuer = Issuer::new("https://i.example", "https://a.example", key).unwrap();
        let secrets = RefreshSecrets::generate().unwrap();
        let sessions = Sessions::builder(issuer, secrets, MemoryStore::new()).build().unwrap();
        sessions.revocations().ready().await;
        let auth =
            JwtAuthLayer::for_sessions(&sessions).with_max_concurrent_verifications(1).unwrap();
        Self { sessions, auth }
    }

    async fn token(&self) -> String {
        self.sessions.start(SignIn::new("alice")).await.unwrap().access().as_str().to_owned()
    }

    /// Begins a request, and returns its answer if it does not wait.
    fn begin(&self, token: &str) -> Result<StatusCode, Answer> {
        let request = Request::builder().header("authorization", format!("Bearer {token}"));
        let answer = self.auth.layer(service_fn(ok)).oneshot(request.body(Empty::new()).unwrap());
        let mut answer: Answer = Box::pin(answer.map(|answer| answer.unwrap().status()));
        answer.as_mut().now_or_never().ok_or(answer)
    }
}

/// Replaces the first character of the signature.
fn forged(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{input}.{first}{}", &signature[1..])
}

#[tokio::test]
async fn tokens_to_verify_wait_and_the_others_do_not() {
    let fixture = Fixture::new(Algorithm::EdDSA).await;
    let (known, new) = (fixture.token().await, fixture.token().await);
    for _ in 0..2 {
        assert_eq!(fixture.begin(&known).ok(), Some(StatusCode::OK));
    }
    let permit = fixture.auth.verifications().admit(Algorithm::EdDSA);
    assert!(permit.is_some());
    assert_eq!(fixture.begin(&known).ok(), Some(StatusCode::OK), "it is in the cache");
    let (input, signature) = new.rsplit_once('.').unwrap();
    let foreign = Fixture::new(Algorithm::EdDSA).await.token().await;
    for cheap in [
        "malformed",
        &format!("{input}.AA"),
        &format!("{input}x.{signature}"),
        // It has the id of another key.
        &foreign,
    ] {
        assert_eq!(fixture.begin(cheap).ok(), Some(StatusCode::UNAUTHORIZED), "{cheap}");
    }
    let valid = fixture.begin(&new).expect_err("it waits");
    let forged = fixture.begin(&forged(&new)).expect_err("it waits");
    drop(permit);
    assert_eq!(valid.await, StatusCode::OK);
    assert_eq!(forged.await, StatusCode::UNAUTHORIZED);
    assert_eq!(fixture.begin(&new).ok(), Some(StatusCode::OK));
}

#[tokio::test]
async fn a_surplus_is_unavailable_and_known_tokens_pass() {
    let fixture = Fixture::new(Algorithm::ES256).await;
    let (known, new) = (fixture.token().await, fixture.token().await);
    for _ in 0..2 {
        assert_eq!(fixture.begin(&known).ok(), Some(StatusCode::OK));
    }
    let permit = fixture.auth.verifications().admit(Algorithm::ES256);
    let waiting: Vec<_> = std::iter::from_fn(|| fixture.begin(&forged(&new)).err()).collect();
    assert_eq!(waiting.len(), 256);
    assert_eq!(fixture.begin(&new).ok(), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(fixture.begin(&known).ok(), Some(StatusCode::OK));
    assert_eq!(fixture.begin("malformed").ok(), Some(StatusCode::UNAUTHORIZED));
    // The clients leave.
    drop(waiting);
    let valid = fixture.begin(&new).expect_err("it waits");
    drop(permit);
    assert_eq!(valid.await, StatusCode::OK);
}

/// Forged tokens that wait do not take the permits of a limit inside of the layer.
#[tokio::test]
async fn tokens_that_wait_hold_no_permit_of_the_service_inside() {
    let fixture = Fixture::new(Algorithm::EdDSA).await;
    let (known, new) = (fixture.token().await, fixture.token().await);
    for _ in 0..2 {
        assert_eq!(fixture.begin(&known).ok(), Some(StatusCode::OK));
    }
    let service = ServiceBuilder::new()
        .layer(fixture.auth.clone())
        .layer(ConcurrencyLimitLayer::new(2))
        .service_fn(ok);
    let begin = |token: &str| {
        let request = Request::builder().header("authorization", format!("Bearer {token}"));
        let answer = service.clone().oneshot(request.body(Empty::new()).unwrap());
        let mut answer: Answer = Box::pin(answer.map(|answer| answer.unwrap().status()));
        answer.as_mut().now_or_never().ok_or(answer)
    };
    let permit = fixture.auth.verifications().admit(Algorithm::EdDSA);
    let forged: Vec<_> = (0..10).map(|_| begin(&forged(&new)).expect_err("it waits")).collect();
    let valid = begin(&new).expect_err("it waits");
    assert_eq!(begin(&known).ok(), Some(StatusCode::OK));
    drop(permit);
    for answer in forged {
        assert_eq!(answer.await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(valid.await, StatusCode::OK, "the service is polled ready again");
}

/// After a change of the keys, many known tokens may wait. Each is verified once.
#[tokio::test]
async fn a_known_token_that_waits_is_kept_at_once() {
    let fixture = Fixture::new(Algorithm::EdDSA).await;
    let known = fixture.token().await;
    for _ in 0..2 {
        assert_eq!(fixture.begin(&known).ok(), Some(StatusCode::OK));
    }
    let ring = fixture.sessions.issuer().key_ring();
    let next = SigningKey::generate().unwrap().verifying_key().clone();
    let signing_key = ring.load().signing_key().clone();
    ring.replace(KeyRing::new(signing_key).with_next(next).unwrap());
    let permit = fixture.auth.verifications().admit(Algorithm::EdDSA);
    let waiting = fixture.begin(&known).expect_err("the ring has changed");
    drop(permit);
    assert_eq!(waiting.await, StatusCode::OK);
    let _permit = fixture.auth.verifications().admit(Algorithm::EdDSA);
    assert_eq!(fixture.begin(&known).ok(), Some(StatusCode::OK));
}

#[tokio::test]
async fn a_token_that_is_revoked_while_it_waits_is_rejected() {
    let fixture = Fixture::new(Algorithm::EdDSA).await;
    let new = fixture.token().await;
    let permit = fixture.auth.verifications().admit(Algorithm::EdDSA);
    let waiting = fixture.begin(&new).expect_err("it waits");
    fixture.sessions.end_all("alice").await.unwrap();
    drop(permit);
    assert_eq!(waiting.await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn tokens_with_hmac_do_not_wait() {
    let fixture = Fixture::new(Algorithm::HS256).await;
    let _permit = fixture.auth.verifications().admit(Algorithm::ES256);
    let token = fixture.token().await;
    assert_eq!(fixture.begin(&token).ok(), Some(StatusCode::OK));
    assert_eq!(fixture.begin(&forged(&token)).ok(), Some(StatusCode::UNAUTHORIZED));
}
