use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_jwt_auth::{
    AuthError, Clock, Identity, Issuer, JwtAuthLayer, LogoutService, ManualClock, MemoryStore,
    RefreshCookie, RefreshSecrets, RefreshService, Sessions, SignIn, SigningKey, Timestamp, Tokens,
};

use crate::{Answer, FaultyStore, logs};

pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "https://api.example";
/// When every world begins.
pub const START: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
/// The secret of the worlds' refresh tokens.
pub const REFRESH_SECRET: [u8; 32] = *b"the secret of all refresh tokens";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub name: String,
}

/// One service with everything, on a clock that stands still.
#[derive(Clone)]
pub struct World {
    pub clock: Arc<ManualClock>,
    pub store: FaultyStore,
    pub sessions: Sessions<Profile>,
    pub auth: JwtAuthLayer<Profile>,
    pub cookie: RefreshCookie,
    pub key: SigningKey,
}

impl World {
    /// Signs with Ed25519, in a store of its own. Needs a tokio runtime.
    pub fn new() -> Self {
        Self::with_key(SigningKey::generate().unwrap())
    }

    pub fn with_key(key: SigningKey) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store = FaultyStore::new(MemoryStore::with_clock(clock.clone()));
        Self::node(key, clock, store)
    }

    /// Another node on the same store and keys.
    pub fn sibling(&self) -> Self {
        Self::node(self.key.clone(), self.clock.clone(), self.store.clone())
    }

    fn node(key: SigningKey, clock: Arc<ManualClock>, store: FaultyStore) -> Self {
        logs::capture();
        let issuer = Issuer::new(ISSUER, AUDIENCE, key.clone()).unwrap().with_clock(clock.clone());
        let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
        let sessions = Sessions::new(issuer, secrets, store.clone()).unwrap();
        let auth = JwtAuthLayer::for_sessions(&sessions);
        Self { clock, store, sessions, auth, cookie: RefreshCookie::host(), key }
    }

    /// The same world with its sessions set up otherwise.
    #[must_use]
    pub fn with_sessions(
        mut self,
        change: impl FnOnce(Sessions<Profile>) -> Sessions<Profile>,
    ) -> Self {
        self.sessions = change(self.sessions);
        self.auth = JwtAuthLayer::for_sessions(&self.sessions);
        self
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub fn alice() -> SignIn<Profile> {
        SignIn::new("alice", Profile { name: "Alice".into() }).with_scope("read write")
    }

    /// Signs alice in.
    pub async fn sign_in(&self) -> Tokens {
        self.sign_in_as(Self::alice()).await
    }

    pub async fn sign_in_as(&self, who: SignIn<Profile>) -> Tokens {
        self.sessions.start(who).await.unwrap()
    }

    /// Calls the protected service with this access token.
    pub async fn call(&self, token: &str) -> Answer {
        self.send(request("GET", &[("authorization", &format!("Bearer {token}"))])).await
    }

    /// Waits, not for ever, until this access token is refused: by a node that was not told itself, or by work
    /// that goes on without its client.
    pub async fn until_refused(&self, token: &str) {
        for _ in 0..1000 {
            if self.call(token).await.status == http::StatusCode::UNAUTHORIZED {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the access token is accepted for ever");
    }

    /// Calls the protected service.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        send_to(self.auth.layer(service_fn(echo)), request).await
    }

    pub fn refresh_service(&self) -> RefreshService<Profile> {
        RefreshService::new(&self.sessions, self.cookie.clone())
    }

    /// Posts to the refresh endpoint with this refresh token.
    pub async fn refresh(&self, token: &str) -> Answer {
        send_to(self.refresh_service(), self.with_cookie(token)).await
    }

    /// Posts to the logout endpoint with this refresh token.
    pub async fn logout(&self, token: &str) -> Answer {
        let logout = LogoutService::this_session(&self.sessions, self.cookie.clone());
        send_to(logout, self.with_cookie(token)).await
    }

    /// Posts to the endpoint that logs out everywhere with this refresh token.
    pub async fn logout_everywhere(&self, token: &str) -> Answer {
        let logout = LogoutService::everywhere(&self.sessions, self.cookie.clone());
        send_to(logout, self.with_cookie(token)).await
    }

    /// A POST that carries this refresh token in its cookie.
    pub fn with_cookie(&self, token: &str) -> Request<Full<Bytes>> {
        request("POST", &[("cookie", &format!("{}={token}", self.cookie.name()))])
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// A request with these headers; those that carry secrets are watched for in the logs.
pub fn request(method: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let method: Method = method.parse().unwrap();
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

/// Calls a service behind this layer with this access token.
pub async fn call_behind<C>(auth: &JwtAuthLayer<C>, token: &str) -> Answer
where
    C: DeserializeOwned + Send + Sync + 'static,
{
    let request = request("GET", &[("authorization", &format!("Bearer {token}"))]);
    send_to(auth.layer(service_fn(echo)), request).await
}

/// Why a request was refused, as the layers around are told.
#[track_caller]
pub fn reason(answer: &Answer) -> AuthError {
    answer.extensions.get::<AuthError>().expect("a refusal tells why").clone()
}

/// Sends a request through a service once it is ready.
pub async fn send_to<S, B>(mut service: S, request: Request<Full<Bytes>>) -> Answer
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    Answer::read(response).await
}

/// Answers with what the layer put in: the subject, or `anonymous`.
pub async fn echo(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = match request.extensions().get::<Identity<Profile>>() {
        Some(identity) => format!("{} is {}", identity.subject(), identity.claims().name),
        None => "anonymous".to_owned(),
    };
    Ok(Response::new(Full::from(text)))
}
