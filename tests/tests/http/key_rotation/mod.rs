//! Keys that change while two nodes serve.

mod refresh_secret;
mod signing_key;
mod under_load;

use std::sync::Arc;

use http::StatusCode;
use tower_jwt_auth::store::ManualClock;
use tower_jwt_auth::{
    Issuer, JwtAuthLayer, MemoryStore, RefreshCookie, RefreshSecrets, RefreshService, Sessions,
    SignIn, SigningKey,
};
use tower_jwt_auth_tests::harness::{REFRESH_SECRET, START, call_behind, request, send_to};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, TestResponse};

/// A node: sessions and a layer over a store that it shares with another one.
#[derive(Clone)]
struct Node {
    sessions: Sessions,
    auth: JwtAuthLayer,
}

/// Two nodes that sign with the same key.
struct Nodes {
    nodes: [Node; 2],
    clock: Arc<ManualClock>,
}

impl Nodes {
    fn new(key: &SigningKey) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let node = |_| {
            let issuer = Issuer::new(ISSUER, AUDIENCE, key.clone()).unwrap();
            let issuer = issuer.with_clock(clock.clone());
            let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
            let sessions = Sessions::builder(issuer, secrets, store.clone()).build().unwrap();
            let auth = JwtAuthLayer::for_sessions(&sessions);
            Node { sessions, auth }
        };
        Self { nodes: [0, 1].map(node), clock }
    }

    /// A client signs in, calls and refreshes, each time at the other node. Asserts that nothing is rejected.
    async fn assert_nothing_is_rejected(&self) {
        for first in [0, 1] {
            let (one, other) = (&self.nodes[first], &self.nodes[1 - first]);
            let tokens = one.sessions.start(SignIn::new("alice")).await.unwrap();
            for node in [one, other] {
                assert_eq!(node.call(tokens.access().as_str()).await, StatusCode::OK);
            }
            let refreshed = other.refresh(tokens.refresh().as_str()).await;
            assert_eq!(refreshed.status, StatusCode::OK);
            for node in [one, other] {
                assert_eq!(node.call(&refreshed.access_token()).await, StatusCode::OK);
            }
            let again = one.refresh(refreshed.cookie_value().unwrap()).await;
            assert_eq!(again.status, StatusCode::OK);
        }
    }
}

impl Node {
    async fn call(&self, access_token: &str) -> StatusCode {
        call_behind(&self.auth, access_token).await.status
    }

    async fn refresh(&self, refresh_token: &str) -> TestResponse {
        let cookie = RefreshCookie::host();
        let header = format!("{}={refresh_token}", cookie.name());
        let service = RefreshService::new(&self.sessions, cookie);
        send_to(service, request("POST", &[("cookie", &header)])).await
    }

    /// Returns the `kid`s of the JWK set.
    async fn published(&self) -> Vec<String> {
        let response = send_to(self.sessions.issuer().jwks(), request("GET", &[])).await;
        let set: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        let keys = set["keys"].as_array().unwrap();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}
