//! The middleware as a tower service: readiness, permits, waiting for the store.

mod verifications;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty, Full};
use tokio::sync::Notify;
use tower::buffer::BufferLayer;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_jwt_auth_core::{
    Cursor, LogEntry, LogPage, MemoryStore, RevocationKey, RevocationLog, StoreError,
};
use tower_test::mock;

use super::*;
use crate::{
    Identity, Issuer, RefreshSecrets, RevocationList, Sessions, SignIn, SigningKey, Verifier,
};

type Req = Request<Empty<Bytes>>;
type Res = Response<Full<Bytes>>;

async fn sessions() -> (Sessions, String) {
    let key = SigningKey::generate().unwrap();
    let issuer = Issuer::new("https://i.example", "https://a.example", key).unwrap();
    let secrets = RefreshSecrets::generate().unwrap();
    let sessions = Sessions::builder(issuer, secrets, MemoryStore::new()).build().unwrap();
    sessions.revocations().ready().await;
    let tokens = sessions.start(SignIn::new("alice")).await.unwrap();
    let bearer = format!("Bearer {}", tokens.access().as_str());
    (sessions, bearer)
}

fn with(bearer: &str) -> Req {
    Request::builder().header("authorization", bearer).body(Empty::new()).unwrap()
}

fn without() -> Req {
    Request::new(Empty::new())
}

async fn ok(_: Req) -> Result<Res, Infallible> {
    Ok(Response::new(Full::from("ok")))
}

#[tokio::test]
async fn readiness_is_the_inner_services() {
    let (sessions, bearer) = sessions().await;
    let layer = JwtAuthLayer::for_sessions(&sessions);
    let (mut service, mut handle) = mock::spawn_with(move |mock| layer.layer(mock));
    let _: &mut mock::Handle<Req, Res> = &mut handle;
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let answer = tokio::spawn(service.call(with(&bearer)));
    let (request, respond) = handle.next_request().await.unwrap();
    assert_eq!(request.extensions().get::<Identity>().unwrap().subject(), "alice");
    respond.send_response(Response::new(Full::from("mock")));
    let body = answer.await.unwrap().unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "mock");
    handle.send_error("broken");
    assert!(matches!(service.poll_ready(), std::task::Poll::Ready(Err(_))));
}

#[tokio::test]
async fn a_rejected_request_never_reaches_the_inner_service() {
    let (sessions, _) = sessions().await;
    let layer = JwtAuthLayer::for_sessions(&sessions);
    let (mut service, mut handle) = mock::spawn_with(move |mock| layer.layer(mock));
    let _: &mut mock::Handle<Req, Res> = &mut handle;
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let answer = service.call(without()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    drop(service);
    assert!(handle.next_request().await.is_none());
}

/// One request at a time: a service that kept its permit would block the next request indefinitely.
#[tokio::test]
async fn a_rejection_releases_the_permit() {
    let (sessions, bearer) = sessions().await;
    let auth = JwtAuthLayer::for_sessions(&sessions);
    let scoped = RequireScopeLayer::new("admin").unwrap();
    let limited = ConcurrencyLimitLayer::new(1);
    let inside = ServiceBuilder::new().layer(auth.clone()).layer(limited.clone());
    let mut service = inside.service(service_fn(ok));
    let mut idle = service.clone();
    for _ in 0..3 {
        let rejected = service.ready().await.unwrap().call(without()).await.unwrap();
        assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);
        let accepted = tokio::time::timeout(Duration::from_secs(5), async {
            idle.ready().await.unwrap().call(with(&bearer)).await.unwrap()
        });
        assert_eq!(accepted.await.expect("the permit is free").status(), StatusCode::OK);
    }
    let inside = ServiceBuilder::new().layer(auth).layer(scoped).layer(limited);
    let mut service = inside.service(service_fn(ok));
    let mut other = service.clone();
    let rejected = service.ready().await.unwrap().call(with(&bearer)).await.unwrap();
    assert_eq!(rejected.status(), StatusCode::FORBIDDEN);
    let free = tokio::time::timeout(Duration::from_secs(5), other.ready()).await;
    assert!(free.is_ok(), "the permit is free");
}

#[tokio::test]
async fn buffers_and_limits_work_on_either_side() {
    let (sessions, bearer) = sessions().await;
    let auth = JwtAuthLayer::for_sessions(&sessions);
    let around = || (BufferLayer::<Req>::new(4), ConcurrencyLimitLayer::new(1));
    let inside = {
        let (buffer, limit) = around();
        ServiceBuilder::new().layer(auth.clone()).layer(buffer).layer(limit).service_fn(ok)
    };
    let outside = {
        let (buffer, limit) = around();
        ServiceBuilder::new().layer(buffer).layer(limit).layer(auth.clone()).service_fn(ok)
    };
    let statuses = [StatusCode::OK, StatusCode::UNAUTHORIZED];
    for n in 0..6 {
        let request = || if n % 2 == 0 { with(&bearer) } else { without() };
        let answer = inside.clone().oneshot(request()).await.unwrap();
        assert_eq!(answer.status(), statuses[n % 2]);
        let answer = outside.clone().oneshot(request()).await.unwrap();
        assert_eq!(answer.status(), statuses[n % 2]);
    }
    // Many at once through one permit.
    let mut racing = Vec::new();
    for n in 0..50 {
        let request = if n % 3 == 0 { without() } else { with(&bearer) };
        racing.push(tokio::spawn(inside.clone().oneshot(request)));
    }
    for (n, racer) in racing.into_iter().enumerate() {
        let status = racer.await.unwrap().unwrap().status();
        assert_eq!(status, statuses[usize::from(n % 3 == 0)]);
    }
}

/// A log that cannot be followed, and that answers a query once it is notified.
#[derive(Clone, Default)]
struct SlowLog {
    answer: Arc<Notify>,
}

#[async_trait]
impl RevocationLog for SlowLog {
    async fn append(&self, _: &[LogEntry]) -> Result<(), StoreError> {
        Err(StoreError::unavailable("closed"))
    }
    async fn read(&self, _: Option<&Cursor>, _: usize) -> Result<LogPage, StoreError> {
        Err(StoreError::unavailable("closed"))
    }
    async fn changed(&self, _: Option<&Cursor>) -> Result<(), StoreError> {
        Err(StoreError::unavailable("closed"))
    }
    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        assert_eq!(keys.len(), 3, "the token, its session and its subject");
        self.answer.notified().await;
        Ok(false)
    }
    async fn purge_log(&self, _: Duration, _: usize) -> Result<usize, StoreError> {
        Err(StoreError::unavailable("closed"))
    }
}

#[tokio::test]
async fn the_ready_service_waits_while_the_store_is_queried() {
    let (sessions, bearer) = sessions().await;
    let log = SlowLog::default();
    let list = RevocationList::follow(log.clone()).unwrap();
    let auth = JwtAuthLayer::new(Verifier::new(sessions.issuer()), list);
    let mut service =
        ServiceBuilder::new().layer(auth).layer(ConcurrencyLimitLayer::new(1)).service_fn(ok);
    let mut other = service.clone();
    let waiting = tokio::spawn(service.ready().await.unwrap().call(with(&bearer)));
    tokio::task::yield_now().await;
    let taken = tokio::time::timeout(Duration::from_millis(50), other.ready()).await;
    assert!(taken.is_err(), "the permit goes with the request");
    log.answer.notify_one();
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
    let free = tokio::time::timeout(Duration::from_secs(5), other.ready()).await;
    assert!(free.is_ok());
}

/// A gateway may have two layers for the same claims: the inner one decides.
#[tokio::test]
async fn an_identity_from_outside_of_the_layer_does_not_pass_through_it() {
    let (sessions, bearer) = sessions().await;
    let outer = JwtAuthLayer::for_sessions(&sessions);
    let elsewhere = crate::TokenSource::authorization_header().or_cookie("other").unwrap();
    let strip = tower::util::MapRequestLayer::new(|mut request: Req| {
        request.headers_mut().remove("authorization");
        request
    });
    let inner = outer.clone().with_source(elsewhere).optional();
    let service = ServiceBuilder::new().layer(outer).layer(strip).layer(inner).service_fn(
        async |request: Req| {
            assert!(request.extensions().get::<Identity>().is_none());
            assert!(request.extensions().get::<Anonymous>().is_some());
            ok(request).await
        },
    );
    assert_eq!(service.oneshot(with(&bearer)).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn the_body_of_a_rejection_is_one_frame_of_known_length() {
    let mut body = AuthBody::<Full<Bytes>>::rejection(Some(Bytes::from("{}")));
    assert_eq!(body.size_hint().exact(), Some(2));
    assert!(!body.is_end_stream());
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "{}");
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
    let inner = AuthBody::inner(Full::<Bytes>::from("abc"));
    assert_eq!(inner.size_hint().exact(), Some(3));
    assert_eq!(inner.collect().await.unwrap().to_bytes(), "abc");
}
