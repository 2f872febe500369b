//! Tests over TCP with a real HTTP server and client: an axum application, and a bare hyper service.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use reqwest::{Client, RequestBuilder};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use tower_jwt_auth::{Identity, LogoutService, RequireScopeLayer};
use tower_jwt_auth_tests::{Harness, Profile};

async fn me(user: Identity) -> String {
    format!("{} is {}", user.subject(), user.claims::<Profile>().unwrap().name)
}

async fn login(State(harness): State<Harness>) -> impl IntoResponse {
    harness.sign_in().await.into_token_response(&harness.cookie)
}

/// The application of the README's first example, on its own port.
async fn application(harness: &Harness) -> SocketAddr {
    let auth = harness.auth.clone();
    let scoped = RequireScopeLayer::new("read").unwrap();
    let unscoped = RequireScopeLayer::new("admin").unwrap();
    let logout = LogoutService::this_session(&harness.sessions, harness.cookie.clone());
    let app = axum::Router::new()
        .route("/me", get(me))
        .route("/read", get(me).layer(scoped))
        .route("/admin", get(me).layer(unscoped))
        .route_layer(auth)
        .route("/login", post(login))
        .route_service("/refresh", harness.refresh_service())
        .route_service("/logout", logout)
        .route_service("/jwks.json", harness.sessions.issuer().jwks())
        .with_state(harness.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

struct Browser {
    client: Client,
    base: String,
    cookie: String,
}

impl Browser {
    fn new(address: SocketAddr) -> Self {
        Self { client: Client::new(), base: format!("http://{address}"), cookie: String::new() }
    }

    fn get(&self, path: &str, token: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base)).bearer_auth(token)
    }

    /// Sends a POST request with the cookie, and keeps the cookie from the response.
    async fn post(&mut self, path: &str) -> (StatusCode, String) {
        let request = self.client.post(format!("{}{path}", self.base));
        let response = request.header("cookie", &self.cookie).send().await.unwrap();
        if let Some(set) = response.headers().get("set-cookie") {
            self.cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        (response.status(), response.text().await.unwrap())
    }
}

fn access_token(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_application_of_the_readme_works_over_a_socket() {
    let harness = Harness::new();
    let mut browser = Browser::new(application(&harness).await);
    let (status, body) = browser.post("/login").await;
    assert_eq!(status, StatusCode::OK);
    let first = access_token(&body);
    let response = browser.get("/me", &first).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "alice is Alice");
    assert_eq!(browser.get("/read", &first).send().await.unwrap().status(), StatusCode::OK);
    let response = browser.get("/admin", &first).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.headers()["www-authenticate"].to_str().unwrap().contains(r#"scope="admin""#));

    let (status, body) = browser.post("/refresh").await;
    assert_eq!(status, StatusCode::OK);
    let second = access_token(&body);
    assert_eq!(browser.get("/me", &second).send().await.unwrap().status(), StatusCode::OK);
    let (status, _) = browser.post("/logout").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    for token in [first, second] {
        let response = browser.get("/me", &token).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(response.headers().contains_key("www-authenticate"));
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["error"], "invalid_token");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_refreshes_at_once_over_sockets_have_one_successor() {
    let harness = Harness::new();
    let mut browser = Browser::new(application(&harness).await);
    browser.post("/login").await;
    let url = format!("{}/refresh", browser.base);
    let mut racing = Vec::new();
    for _ in 0..200 {
        let request = browser.client.post(&url).header("cookie", &browser.cookie);
        racing.push(tokio::spawn(async move {
            let response = request.send().await.unwrap();
            let cookie = response.headers()["set-cookie"].to_str().unwrap();
            (response.status(), cookie.split(';').next().unwrap().to_owned())
        }));
    }
    let mut successors = std::collections::HashSet::new();
    for racer in racing {
        let (status, cookie) = racer.await.unwrap();
        assert_eq!(status, StatusCode::OK);
        successors.insert(cookie);
    }
    assert_eq!(successors.len(), 1);
    assert_eq!(harness.sessions.list("alice", None).await.unwrap().sessions[0].generation(), 1);
}

#[tokio::test]
async fn the_published_keys_verify_issued_tokens() {
    use tower_jwt_auth::{KeySet, TrustedIssuer, Verifier};
    let harness = Harness::new();
    let browser = Browser::new(application(&harness).await);
    let response = browser.client.get(format!("{}/jwks.json", browser.base)).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/jwk-set+json");
    let keys = KeySet::from_jwks(&response.text().await.unwrap()).unwrap();
    let trusted =
        TrustedIssuer::new(tower_jwt_auth_tests::ISSUER, tower_jwt_auth_tests::AUDIENCE, keys);
    let verifier = Verifier::new(trusted.unwrap()).with_claims::<Profile>();
    let tokens = harness.sign_in().await;
    let identity = verifier.verify(tokens.access().as_str(), harness.now()).unwrap();
    assert_eq!(identity.subject(), "alice");
    let post = browser.client.post(format!("{}/jwks.json", browser.base)).send().await.unwrap();
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(post.headers()["allow"], "GET, HEAD");
}

// The service and the server agree on the length of a body that is not sent.
#[tokio::test]
async fn a_document_without_its_body_has_the_length_of_the_body_or_none() {
    let harness = Harness::new();
    let browser = Browser::new(application(&harness).await);
    let url = format!("{}/jwks.json", browser.base);
    let full = browser.client.get(&url).send().await.unwrap();
    let (tag, length) = (full.headers()["etag"].clone(), full.content_length().unwrap());
    assert_eq!(full.bytes().await.unwrap().len() as u64, length);
    let head = browser.client.head(&url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], length.to_string());
    let head = browser.client.head(format!("{}/refresh", browser.base)).send().await.unwrap();
    let get = browser.client.get(format!("{}/refresh", browser.base)).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(head.headers()["content-length"], get.headers()["content-length"]);
    let current = browser.client.get(&url).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(current.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(current.headers().get("content-length"), None);
}

#[tokio::test]
async fn an_issuer_that_signs_with_a_secret_publishes_no_key() {
    use tower_jwt_auth::{Algorithm, SigningKey};
    let harness = Harness::with_key(
        SigningKey::from_secret(Algorithm::HS256, b"the secret of some access tokens").unwrap(),
    );
    let jwks = harness.sessions.issuer().jwks();
    let request = tower_jwt_auth_tests::harness::request("GET", &[]);
    let response = tower_jwt_auth_tests::harness::send_to(jwks, request).await;
    assert_eq!(response.body, r#"{"keys":[]}"#);
}

#[tokio::test]
async fn a_bare_hyper_service_is_protected() {
    let harness = Harness::new();
    let inner = service_fn(async |request: Request<hyper::body::Incoming>| {
        let user = request.extensions().get::<Identity>().expect("the layer inserts the identity");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(user.subject().to_owned())))
    });
    let service = TowerToHyperService::new(harness.auth.layer(inner));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service.clone();
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                builder.serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    let browser = Browser::new(address);
    let tokens = harness.sign_in().await;
    let response = browser.get("/", tokens.access().as_str()).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "alice");
    let response = browser.get("/", "garbage").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(response.text().await.unwrap().contains("invalid_token"));
}
