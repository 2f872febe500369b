//! Runs each example over HTTP, and compares the README's program with the one that runs here.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "its `main` serves on a port")]
#[path = "../examples/axum.rs"]
mod axum_example;
#[allow(dead_code, reason = "its `main` serves on a port")]
#[path = "../examples/custom_claims.rs"]
mod custom_claims;
#[allow(dead_code, reason = "its `main` serves on a port")]
#[path = "../examples/hyper.rs"]
mod hyper_example;
#[allow(dead_code, reason = "its `main` serves on a port")]
#[path = "../examples/resource_server.rs"]
mod resource_server;

use std::fs;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;
use tower_jwt_auth::{Issuer, KeySet, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey};

/// What a client keeps of a login or a refresh.
struct SignedIn {
    access_token: String,
    cookie: String,
}

impl SignedIn {
    /// Reads the tokens of a response.
    async fn of(response: Response<Body>) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        let set_cookie = response.headers()["set-cookie"].to_str().unwrap();
        let cookie = set_cookie.split(';').next().unwrap().to_owned();
        assert!(cookie.starts_with("__Host-refresh_token="), "{cookie}");
        let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        Self { access_token: body["access_token"].as_str().unwrap().to_owned(), cookie }
    }
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn get(path: &str, access_token: &str) -> Request<Body> {
    let request = Request::get(path).header("authorization", format!("Bearer {access_token}"));
    request.header("host", "localhost").body(Body::empty()).unwrap()
}

fn post(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::post(path).header("host", "localhost");
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

async fn send(app: &Router, request: Request<Body>) -> Response<Body> {
    app.clone().oneshot(request).await.unwrap()
}

/// Sends a request to a server, on a connection of its own.
async fn send_to(server: SocketAddr, request: Request<Body>) -> Response<Body> {
    let stream = TokioIo::new(TcpStream::connect(server).await.unwrap());
    let (mut sender, connection) = http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap().map(Body::new)
}

#[tokio::test]
async fn axum_signs_in_calls_refreshes_and_logs_out() {
    let app = axum_example::app().unwrap();
    let first = SignedIn::of(send(&app, post("/login", &[])).await).await;
    let response = send(&app, get("/me", &first.access_token)).await;
    assert_eq!(text(response).await, "alice is Alice Liddell");

    let second = post("/refresh", &[("cookie", &first.cookie)]);
    let second = SignedIn::of(send(&app, second).await).await;
    assert_ne!(second.cookie, first.cookie);
    assert_eq!(send(&app, get("/me", &second.access_token)).await.status(), StatusCode::OK);

    let response = send(&app, post("/logout", &[("cookie", &second.cookie)])).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    for token in [&first.access_token, &second.access_token] {
        let response = send(&app, get("/me", token)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    let response = send(&app, post("/refresh", &[("cookie", &second.cookie)])).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn axum_rejects_requests_without_a_token_and_from_other_sites() {
    let app = axum_example::app().unwrap();
    let response = send(&app, Request::get("/me").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="api""#);

    let signed_in = SignedIn::of(send(&app, post("/login", &[])).await).await;
    for path in ["/login", "/refresh", "/logout"] {
        let headers = [("cookie", signed_in.cookie.as_str()), ("sec-fetch-site", "cross-site")];
        assert_eq!(
            send(&app, post(path, &headers)).await.status(),
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    let response = send(&app, get("/me", &signed_in.access_token)).await;
    assert_eq!(response.status(), StatusCode::OK, "the session has not ended");
}

#[tokio::test]
async fn axum_ends_the_session_that_a_login_replaces() {
    let app = axum_example::app().unwrap();
    let first = SignedIn::of(send(&app, post("/login", &[])).await).await;
    SignedIn::of(send(&app, post("/login", &[("cookie", &first.cookie)])).await).await;
    let response = send(&app, get("/me", &first.access_token)).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

/// The README's program is the example, apart from the visibility that these tests need. So they run it.
#[test]
fn the_readme_shows_the_axum_example() {
    let read = |path: &str| {
        fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect(path)
    };
    let example = read("examples/axum.rs");
    let (_, program) = example.split_once("\n\n").expect("a program follows the comment");
    let program = program.replace("pub(crate) ", "");
    let readme = read("../../README.md");
    assert!(readme.contains(&format!("\n{program}```\n")), "the README shows another program");
}

#[tokio::test]
async fn hyper_signs_in_calls_and_refreshes_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async { hyper_example::serve(listener).await.map_err(|error| error.to_string()) });

    let first = SignedIn::of(send_to(server, post("/login", &[])).await).await;
    let second = post("/refresh", &[("cookie", &first.cookie)]);
    let second = SignedIn::of(send_to(server, second).await).await;
    assert_ne!(second.cookie, first.cookie);
    for token in [&first.access_token, &second.access_token] {
        assert_eq!(text(send_to(server, get("/me", token)).await).await, "alice");
    }
    assert_eq!(send_to(server, post("/me", &[])).await.status(), StatusCode::UNAUTHORIZED);
    let cross_site = post("/login", &[("sec-fetch-site", "cross-site")]);
    assert_eq!(send_to(server, cross_site).await.status(), StatusCode::FORBIDDEN);
    let response = send_to(server, post("/refresh", &[])).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn resource_server_verifies_tokens_by_the_published_keys() {
    let sessions = |key: SigningKey| {
        let issuer = Issuer::new(resource_server::ISSUER, resource_server::AUDIENCE, key).unwrap();
        let secrets = RefreshSecrets::generate().unwrap();
        Sessions::builder(issuer, secrets, MemoryStore::new()).build().unwrap()
    };
    let (trusted, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let (trusted, other) = (sessions(trusted), sessions(other));
    let jwks = trusted.issuer().jwks().oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    let keys = KeySet::from_jwks(&text(jwks.map(Body::new)).await).unwrap();
    let app =
        resource_server::app(resource_server::ISSUER, resource_server::AUDIENCE, keys).unwrap();

    let tokens = trusted.start(SignIn::new("alice").with_scope("read")).await.unwrap();
    let response = send(&app, get("/orders", tokens.access().as_str())).await;
    assert_eq!(text(response).await, "the orders of alice");
    let response = send(&app, get("/reports", tokens.access().as_str())).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);

    let admin = trusted.start(SignIn::new("root").with_scope("read admin")).await.unwrap();
    let response = send(&app, get("/reports", admin.access().as_str())).await;
    assert_eq!(text(response).await, "the orders of root");

    let forged = other.start(SignIn::new("alice").with_scope("admin")).await.unwrap();
    let response = send(&app, get("/orders", forged.access().as_str())).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn custom_claims_reach_handlers_and_layers_and_change_at_a_refresh() {
    let set = |role| custom_claims::USERS.lock().unwrap().insert("alice", role);
    let (sessions, app) = custom_claims::app().unwrap();
    set("reader");
    let profile = custom_claims::Profile { role: "reader".to_owned() };
    let first = sessions.start(SignIn::new("alice").with_claims(profile)).await.unwrap();
    let response = send(&app, get("/role", first.access().as_str())).await;
    assert_eq!(text(response).await, "reader");
    let response = send(&app, get("/drafts", first.access().as_str())).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);

    set("editor");
    let second = sessions.refresh(first.refresh().as_str()).await.unwrap();
    let response = send(&app, get("/role", second.access().as_str())).await;
    assert_eq!(text(response).await, "editor");
    let response = send(&app, get("/drafts", second.access().as_str())).await;
    assert_eq!(text(response).await, "drafts");

    custom_claims::USERS.lock().unwrap().remove("alice");
    assert!(sessions.refresh(second.refresh().as_str()).await.is_err());
    let response = send(&app, get("/role", second.access().as_str())).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "the session has ended");
}
