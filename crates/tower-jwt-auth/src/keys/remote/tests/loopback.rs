//! The default client against a hyper server on this machine, in real time.

use axum::Router;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use http_body::{Body, Frame};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::keys::FetchErrorKind;
use crate::keys::remote::client;
use crate::keys::remote::request::Requester;

/// Serves these routes and returns the origin.
async fn serve(routes: Router) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (origin, AbortOnDropHandle::new(server))
}

async fn error(builder: RemoteKeySetBuilder) -> FetchErrorKind {
    let keys = builder.build().unwrap();
    let failed = async {
        loop {
            if let Some(error) = keys.status().last_error() {
                return error;
            }
            sleep(SECOND / 100).await;
        }
    };
    timeout(20 * SECOND, failed).await.unwrap()
}

/// A body that sends one byte and then nothing.
struct Stalled(bool);

impl Body for Stalled {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match std::mem::replace(&mut self.0, true) {
            false => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"{"))))),
            true => Poll::Pending,
        }
    }
}

#[tokio::test]
async fn keys_are_fetched_from_a_url_and_by_discovery() {
    let set = set_of("key");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let metadata = format!(r#"{{"issuer":"{origin}/shop","jwks_uri":"{origin}/jwks"}}"#);
    let json = [("content-type", "application/json")];
    let routes = Router::new()
        .route("/jwks", get(async move || (json, set)))
        .route("/.well-known/oauth-authorization-server/shop", get(async move || (json, metadata)));
    let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let _server = AbortOnDropHandle::new(server);
    for builder in [
        RemoteKeySet::from_jwks_url(&format!("{origin}/jwks")),
        RemoteKeySet::discover(&format!("{origin}/shop")),
    ] {
        let keys = builder.build().unwrap();
        timeout(20 * SECOND, keys.ready()).await.unwrap();
        assert!(has(&keys.snapshot(), "key"));
    }
}

#[tokio::test]
async fn a_slow_body_ends_at_the_timeout() {
    let body = async || axum::body::Body::new(Stalled(false)).into_response();
    let (origin, _server) = serve(Router::new().route("/jwks", get(body))).await;
    let builder = RemoteKeySet::from_jwks_url(&format!("{origin}/jwks")).timeout(SECOND / 5);
    assert_eq!(error(builder).await, FetchErrorKind::Timeout);
}

#[tokio::test]
async fn an_oversize_body_is_not_read_to_its_end() {
    let set = format!("{}{}", set_of("key"), " ".repeat(1024 * 1024));
    let (origin, _server) = serve(Router::new().route("/jwks", get(async move || set))).await;
    let builder = RemoteKeySet::from_jwks_url(&format!("{origin}/jwks"));
    assert_eq!(error(builder).await, FetchErrorKind::TooLarge);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let set = set_of("key");
    let routes = Router::new()
        .route("/jwks", get(async || Redirect::temporary("/moved")))
        .route("/moved", get(async move || set));
    let (origin, _server) = serve(routes).await;
    let builder = RemoteKeySet::from_jwks_url(&format!("{origin}/jwks"));
    assert_eq!(error(builder).await, FetchErrorKind::Redirect);
}

#[tokio::test]
async fn another_issuer_is_refused() {
    let metadata = r#"{"issuer":"http://127.0.0.1","jwks_uri":"http://127.0.0.1/jwks"}"#;
    let path = "/.well-known/openid-configuration";
    let (origin, _server) = serve(Router::new().route(path, get(async move || metadata))).await;
    assert_eq!(error(RemoteKeySet::discover(&origin)).await, FetchErrorKind::Issuer);
}

#[tokio::test]
async fn a_closed_port_is_a_connection_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let builder = RemoteKeySet::from_jwks_url(&format!("{origin}/jwks"));
    assert_eq!(error(builder).await, FetchErrorKind::Connection);
}

#[tokio::test]
async fn a_client_without_tls_sends_nothing_to_an_https_url() {
    let set = set_of("key");
    let (origin, _server) = serve(Router::new().route("/jwks", get(async move || set))).await;
    let url = format!("{origin}/jwks").replace("http://", "https://").parse().unwrap();
    let client = client::plain(SECOND);
    let requester = Requester { client, timeout: 10 * SECOND, max_body_size: 1024 };
    let error = requester.get(&url, std::time::SystemTime::now()).await.unwrap_err();
    assert_eq!(error.kind(), FetchErrorKind::Connection);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_that_is_not_accepted_ends_at_the_connect_timeout() {
    // A full queue of connections: further ones wait.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(connection) = timeout(SECOND / 5, tokio::net::TcpStream::connect(address)).await {
        queue.push(connection.unwrap());
        assert!(queue.len() < 100, "the queue does not fill up");
    }
    let begun = Instant::now();
    let builder = RemoteKeySet::from_jwks_url(&format!("http://{address}/jwks"))
        .connect_timeout(SECOND / 10)
        .timeout(MINUTE);
    assert_eq!(error(builder).await, FetchErrorKind::Connection);
    assert!(begun.elapsed() < 10 * SECOND, "{:?}", begun.elapsed());
}
