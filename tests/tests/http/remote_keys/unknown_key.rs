//! A token whose key is not in the set waits for one fetch.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{AuthError, Verifier};
use tower_jwt_auth_tests::harness::{call_behind, reason};

use super::{OK, Provider, UNAUTHORIZED, layer, trust};

#[tokio::test(start_paused = true)]
async fn a_new_key_of_the_provider_is_accepted_after_one_fetch() {
    let provider = Provider::new("https://login.example");
    let keys = provider.remote().build().unwrap();
    keys.ready().await;
    let auth = layer(Verifier::new(trust(&provider, keys)));
    assert_eq!(call_behind(&auth, &provider.token("first").sign()).await.status, OK);
    assert_eq!(provider.fetches(), 1);

    provider.add_key("second");
    provider.set_delay(Duration::from_millis(500));
    let token = provider.token("second").sign();
    let requests = (0..10).map(|_| call_behind(&auth, &token));
    for response in futures_util::future::join_all(requests).await {
        assert_eq!(response.status, OK);
        assert_eq!(response.body, "alice");
    }
    assert_eq!(provider.fetches(), 2, "one fetch for all of them");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_the_new_set_does_not_have_is_rejected() {
    let provider = Provider::new("https://login.example");
    let keys = provider.remote().build().unwrap();
    keys.ready().await;
    let auth = layer(Verifier::new(trust(&provider, keys))).with_realm("shop").unwrap();
    let response = call_behind(&auth, &provider.token("first").with_key_id("made up")).await;
    response.assert_refused(UNAUTHORIZED, "invalid_token");
    assert_eq!(reason(&response), AuthError::Token(TokenError::UnknownKey));
    // The challenge after the wait is that of the layer.
    assert!(response.challenge().unwrap().starts_with(r#"Bearer realm="shop", "#));
    assert_eq!(provider.fetches(), 2);
    // The signature of a known key id does not cause a fetch.
    let other = Provider::new("https://login.example");
    let forged = other.token("first").sign();
    let response = call_behind(&auth, &forged).await;
    assert_eq!(reason(&response), AuthError::Token(TokenError::Signature));
    tokio::time::sleep(Duration::from_secs(31)).await;
    call_behind(&auth, &forged).await.assert_refused(UNAUTHORIZED, "invalid_token");
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_with_a_known_key_does_not_wait_for_a_running_fetch() {
    let provider = Provider::new("https://login.example");
    let keys = provider.remote().build().unwrap();
    keys.ready().await;
    let auth = layer(Verifier::new(trust(&provider, keys)));
    let token = provider.token("first");
    provider.set_delay(Duration::from_secs(1));
    let made_up = token.with_key_id("made up");
    let begun = Instant::now();
    let waiting = async {
        assert_eq!(call_behind(&auth, &made_up).await.status, UNAUTHORIZED);
        begun.elapsed()
    };
    let honest = async {
        // The fetch has begun, and has not ended.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(provider.fetches(), 2);
        assert_eq!(call_behind(&auth, &token.sign()).await.status, OK);
        begun.elapsed()
    };
    let (waited, honest) = tokio::join!(waiting, honest);
    assert_eq!(waited, Duration::from_secs(1));
    assert_eq!(honest, Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_bounded() {
    let provider = Provider::new("https://login.example");
    let keys = provider.remote().wait_timeout(Duration::from_secs(1)).build().unwrap();
    keys.ready().await;
    let auth = layer(Verifier::new(trust(&provider, keys)));
    provider.set_delay(Duration::from_secs(4));
    let begun = Instant::now();
    let response = call_behind(&auth, &provider.token("first").with_key_id("made up")).await;
    assert_eq!(reason(&response), AuthError::Token(TokenError::UnknownKey));
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
}

/// A service that must be polled ready before each call, as tower's contract says.
struct Strict {
    is_ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { is_ready: false, calls: Arc::clone(&self.calls) }
    }
}

impl Service<Request<Full<Bytes>>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        assert!(self.is_ready, "called without having been polled ready");
        self.is_ready = false;
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Response::new(request.into_body())) })
    }
}

#[tokio::test(start_paused = true)]
async fn the_ready_service_and_the_body_wait_with_the_request() {
    let provider = Provider::new("https://login.example");
    let keys = provider.remote().build().unwrap();
    keys.ready().await;
    let auth = layer(Verifier::new(trust(&provider, keys)));
    provider.add_key("second");
    provider.set_delay(Duration::from_millis(500));
    let calls = Arc::new(AtomicUsize::new(0));
    let mut service = auth.layer(Strict { is_ready: false, calls: Arc::clone(&calls) });
    let bearer = format!("Bearer {}", provider.token("second").sign());
    let request = Request::post("/").header("authorization", bearer);
    let request = request.body(Full::from("the body")).unwrap();
    let response = service.ready().await.unwrap().call(request);
    assert_eq!(calls.load(Ordering::SeqCst), 0, "the request waits for the key");
    let response = response.await.unwrap();
    assert_eq!(response.status(), OK);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "the body");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_and_is_rejected_releases_its_permit() {
    let provider = Provider::new("https://login.example");
    let keys = provider.remote().build().unwrap();
    keys.ready().await;
    let auth = layer(Verifier::new(trust(&provider, keys)));
    let inner = service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let mut service = auth.layer(ConcurrencyLimitLayer::new(1).layer(inner));
    let request = |token: String| {
        Request::get("/").header("authorization", format!("Bearer {token}")).body(Full::default())
    };
    let made_up = request(provider.token("first").with_key_id("made up")).unwrap();
    let response = service.ready().await.unwrap().call(made_up).await.unwrap();
    assert_eq!(response.status(), UNAUTHORIZED);
    let good = request(provider.token("first").sign()).unwrap();
    let response = service.ready().await.unwrap().call(good).await.unwrap();
    assert_eq!(response.status(), OK);
}

#[tokio::test(start_paused = true)]
async fn a_cached_token_of_a_withdrawn_key_is_rejected_and_an_unchanged_set_changes_nothing() {
    let provider = Provider::new("https://login.example");
    let keys = provider.remote().build().unwrap();
    keys.ready().await;
    let auth = layer(Verifier::new(trust(&provider, keys)));
    let token = provider.token("first").sign();
    for _ in 0..2 {
        assert_eq!(call_behind(&auth, &token).await.status, OK);
    }
    let fetches = provider.fetches();
    tokio::time::sleep(Duration::from_secs(3700)).await;
    assert!(provider.fetches() > fetches);
    assert_eq!(call_behind(&auth, &token).await.status, OK);
    provider.withdraw_keys();
    provider.add_key("second");
    tokio::time::sleep(Duration::from_secs(3700)).await;
    assert_eq!(call_behind(&auth, &token).await.status, UNAUTHORIZED);
}
