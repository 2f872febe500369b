//! A provider that answers by script, under paused time.

mod client;
mod discovery;
mod events;
mod loopback;
mod outage;
mod refresh;
mod settings;
mod tls;
mod unknown_key;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tokio::time::{Instant, sleep};
use tower_jwt_auth_core::{Clock, Timestamp};
use tower_service::Service;

use super::error::BoxError;
use super::snapshot::Snapshot;
use super::{RemoteKeySet, RemoteKeySetBuilder};
use crate::keys::{KeySet, SigningKey};

const JWKS_URL: &str = "https://login.example/jwks";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A script of a provider, and the client to reach it.
#[derive(Clone)]
struct Provider(Arc<Mutex<State>>);

struct State {
    script: Script,
    requests: Vec<(Instant, Request<()>)>,
}

type Script = Arc<dyn Fn(&Uri) -> Reply + Send + Sync>;

enum Reply {
    Response(Response<Full<Bytes>>),
    After(Duration, Box<Reply>),
    Never,
    Refused,
    Panic,
}

impl Provider {
    fn new(script: impl Fn(&Uri) -> Reply + Send + Sync + 'static) -> Self {
        Self(Arc::new(Mutex::new(State { script: Arc::new(script), requests: Vec::new() })))
    }

    /// A provider with this JWK set.
    fn with_set(set: String) -> Self {
        let provider = Self::new(|_| Reply::Never);
        provider.publish(set);
        provider
    }

    fn publish(&self, set: String) {
        self.answer(move |_| Reply::json(set.clone()));
    }

    fn answer(&self, script: impl Fn(&Uri) -> Reply + Send + Sync + 'static) {
        self.0.lock().unwrap().script = Arc::new(script);
    }

    /// The number of requests so far.
    fn requests(&self) -> usize {
        self.0.lock().unwrap().requests.len()
    }

    fn times(&self) -> Vec<Instant> {
        self.0.lock().unwrap().requests.iter().map(|(at, _)| *at).collect()
    }

    fn urls(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .requests
            .iter()
            .map(|(_, request)| request.uri().to_string())
            .collect()
    }

    /// The keys at this provider, by the settings of the tests.
    fn keys(&self) -> RemoteKeySet {
        self.configure(RemoteKeySet::from_jwks_url(JWKS_URL)).build().unwrap()
    }

    fn configure(&self, builder: RemoteKeySetBuilder) -> RemoteKeySetBuilder {
        builder.client(self.clone()).clock(PausedClock::new())
    }
}

impl Reply {
    fn json(body: impl Into<Bytes>) -> Self {
        Self::Response(Response::new(Full::new(body.into())))
    }

    fn status(status: StatusCode) -> Self {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        Self::Response(response)
    }

    fn with_header(self, name: &'static str, value: &'static str) -> Self {
        let Self::Response(mut response) = self else { panic!("not a response") };
        response.headers_mut().insert(name, http::HeaderValue::from_static(value));
        Self::Response(response)
    }

    fn after(self, delay: Duration) -> Self {
        Self::After(delay, Box::new(self))
    }
}

impl Service<Request<Full<Bytes>>> for Provider {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let request = request.map(|_| ());
        let script = {
            let mut state = self.0.lock().unwrap();
            state.requests.push((Instant::now(), request.clone()));
            Arc::clone(&state.script)
        };
        Box::pin(async move {
            let mut reply = script(request.uri());
            loop {
                match reply {
                    Reply::Response(response) => return Ok(response),
                    Reply::After(delay, next) => {
                        sleep(delay).await;
                        reply = *next;
                    }
                    Reply::Never => std::future::pending().await,
                    Reply::Refused => return Err("connection refused".into()),
                    Reply::Panic => panic!("the client of a test panics"),
                }
            }
        })
    }
}

/// A wall clock that runs with tokio's paused time.
#[derive(Debug)]
struct PausedClock(Instant);

impl PausedClock {
    fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000) + self.0.elapsed()
    }
}

/// A JWK set with a key of this id.
fn set_of(key_id: &str) -> String {
    let key = SigningKey::generate().unwrap().verifying_key().clone().with_key_id(key_id);
    KeySet::from(key).to_jwks()
}

/// Whether a key of this id is in use.
fn has(snapshot: &Snapshot, key_id: &str) -> bool {
    snapshot.keys().is_ok_and(|keys| keys.keys().any(|key| key.key_id() == key_id))
}

/// Lets the task run without letting time pass.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
