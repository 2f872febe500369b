use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_jwt_auth::sessions::{RefreshRejection, SessionsBuilder};
use tower_jwt_auth::store::{Clock, ManualClock};
use tower_jwt_auth::{
    AuthError, Identity, Issuer, JwtAuthLayer, LogoutService, MemoryStore, RefreshCookie,
    RefreshSecrets, RefreshService, RotationPolicy, Sessions, SignIn, SigningKey, Timestamp,
    TokenSource, Tokens,
};

use crate::{FaultyStore, TestResponse, log_capture};

pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "https://api.example";
/// The time at which every harness starts.
pub const START: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
/// The seconds of a day.
pub const DAY: u64 = 24 * 3600;
/// The secret of the refresh tokens.
pub const REFRESH_SECRET: [u8; 32] = *b"the secret of all refresh tokens";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub name: String,
}

/// A service with a store, sessions and a protected route, on a manual clock.
#[derive(Clone)]
pub struct Harness {
    pub clock: Arc<ManualClock>,
    pub store: FaultyStore,
    pub builder: SessionsBuilder<Profile>,
    pub sessions: Sessions<Profile>,
    pub auth: JwtAuthLayer<Profile>,
    pub cookie: RefreshCookie,
    pub key: SigningKey,
}

impl Harness {
    /// Creates a harness with its own store that signs with Ed25519. It needs a tokio runtime.
    pub fn new() -> Self {
        Self::with_key(SigningKey::generate().unwrap())
    }

    pub fn with_key(key: SigningKey) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store = FaultyStore::new(MemoryStore::with_clock(clock.clone()));
        Self::node(key, clock, store)
    }

    /// Returns another node with the same store and keys.
    pub fn another_node(&self) -> Self {
        Self::node(self.key.clone(), self.clock.clone(), self.store.clone())
    }

    fn node(key: SigningKey, clock: Arc<ManualClock>, store: FaultyStore) -> Self {
        log_capture::install();
        let issuer = Issuer::new(ISSUER, AUDIENCE, key.clone()).unwrap().with_clock(clock.clone());
        let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
        let builder = Sessions::builder(issuer, secrets, store.clone()).claims::<Profile>();
        let sessions = builder.clone().build().unwrap();
        let auth = JwtAuthLayer::for_sessions(&sessions);
        Self { clock, store, builder, sessions, auth, cookie: RefreshCookie::host(), key }
    }

    /// Changes the configuration of the sessions.
    #[must_use]
    pub fn with_sessions(
        mut self,
        change: impl FnOnce(SessionsBuilder<Profile>) -> SessionsBuilder<Profile>,
    ) -> Self {
        self.builder = change(self.builder);
        self.sessions = self.builder.clone().build().unwrap();
        self.auth = JwtAuthLayer::for_sessions(&self.sessions);
        self
    }

    /// Creates a harness that does not remove ended sessions.
    pub fn without_sweeper() -> Self {
        Self::new().with_sessions(|s| s.sweep(false))
    }

    /// Changes where the layer looks for access tokens.
    #[must_use]
    pub fn with_source(mut self, source: TokenSource) -> Self {
        self.auth = self.auth.with_source(source);
        self
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub fn alice() -> SignIn<Profile> {
        SignIn::new("alice").with_claims(Profile { name: "Alice".into() }).with_scope("read write")
    }

    /// Signs alice in.
    pub async fn sign_in(&self) -> Tokens {
        self.sign_in_as(Self::alice()).await
    }

    pub async fn sign_in_as(&self, who: SignIn<Profile>) -> Tokens {
        self.sessions.start(who).await.unwrap()
    }

    /// Calls the protected service with this access token.
    pub async fn call(&self, token: &str) -> TestResponse {
        self.send(request("GET", &[("authorization", &format!("Bearer {token}"))])).await
    }

    /// Waits until this access token is refused. A node may learn of the revocation from the log, and a request may
    /// continue after its client has left.
    ///
    /// # Panics
    /// If the token is still accepted after 1,000 requests.
    pub async fn until_refused(&self, token: &str) {
        for _ in 0..1000 {
            if self.call(token).await.status == StatusCode::UNAUTHORIZED {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the access token is still accepted after 1,000 requests");
    }

    /// Calls the protected service.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> TestResponse {
        send_to(self.auth.layer(service_fn(echo)), request).await
    }

    pub fn refresh_service(&self) -> RefreshService<Profile> {
        RefreshService::new(&self.sessions, self.cookie.clone())
    }

    /// Posts to the refresh endpoint with this refresh token.
    pub async fn refresh(&self, token: &str) -> TestResponse {
        send_to(self.refresh_service(), self.with_cookie(token)).await
    }

    /// Posts to the logout endpoint with this refresh token.
    pub async fn logout(&self, token: &str) -> TestResponse {
        let logout = LogoutService::this_session(&self.sessions, self.cookie.clone());
        send_to(logout, self.with_cookie(token)).await
    }

    /// Posts to the endpoint that logs out everywhere with this refresh token.
    pub async fn logout_everywhere(&self, token: &str) -> TestResponse {
        let logout = LogoutService::everywhere(&self.sessions, self.cookie.clone());
        send_to(logout, self.with_cookie(token)).await
    }

    /// Posts to the endpoint that logs out all other sessions with this refresh token.
    pub async fn logout_others(&self, token: &str) -> TestResponse {
        let logout = LogoutService::others(&self.sessions, self.cookie.clone());
        send_to(logout, self.with_cookie(token)).await
    }

    /// Returns a POST request that carries this refresh token in its cookie.
    pub fn with_cookie(&self, token: &str) -> Request<Full<Bytes>> {
        request("POST", &[("cookie", &format!("{}={token}", self.cookie.name()))])
    }
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns sessions on the system clock that rotate with each refresh, and the first refresh token of alice.
pub async fn rotating_sessions() -> (Sessions<Profile>, String) {
    let key = SigningKey::generate().unwrap();
    let issuer = Issuer::new(ISSUER, AUDIENCE, key).unwrap();
    let secrets = RefreshSecrets::generate().unwrap();
    let sessions = Sessions::builder(issuer, secrets, MemoryStore::new())
        .claims::<Profile>()
        .rotation(RotationPolicy::default().with_grace(Duration::ZERO))
        .build()
        .unwrap();
    sessions.revocations().ready().await;
    let token = sessions.start(Harness::alice()).await.unwrap().refresh().as_str().to_owned();
    (sessions, token)
}

/// Returns a request with these headers.
pub fn request(method: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let method: Method = method.parse().unwrap();
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

/// Calls a service behind this layer with this access token.
pub async fn call_behind<C>(auth: &JwtAuthLayer<C>, token: &str) -> TestResponse
where
    C: DeserializeOwned + Send + Sync + 'static,
{
    let request = request("GET", &[("authorization", &format!("Bearer {token}"))]);
    send_to(auth.layer(service_fn(echo)), request).await
}

/// Returns the reason of a refusal from the extensions of the response.
#[track_caller]
pub fn reason(response: &TestResponse) -> AuthError {
    response.extensions.get::<AuthError>().expect("a refusal should carry its reason").clone()
}

/// Asserts that an endpoint rejected a refresh token for this reason and left the cookie as it is.
#[track_caller]
pub fn assert_rejected(response: &TestResponse, rejection: RefreshRejection) {
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    assert_eq!(response.extensions.get(), Some(&rejection));
    assert_eq!(response.set_cookie(), None, "a 401 must not change the cookie");
}

/// Sends a request through a service once it is ready.
pub async fn send_to<S, B>(mut service: S, request: Request<Full<Bytes>>) -> TestResponse
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    TestResponse::read(response).await
}

/// Responds with the subject of the identity that the layer inserted, followed by the name if the verifier reads the
/// claims [`Profile`], or with `anonymous`.
pub async fn echo(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = match request.extensions().get::<Identity>() {
        Some(identity) => match identity.claims::<Profile>() {
            Some(profile) => format!("{} is {}", identity.subject(), profile.name),
            None => identity.subject().to_owned(),
        },
        None => "anonymous".to_owned(),
    };
    Ok(Response::new(Full::from(text)))
}
