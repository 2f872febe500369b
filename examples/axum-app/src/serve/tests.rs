//! Raw sockets against [`serve`] with small limits. `tests/app/slow_clients.rs` has the binary with its own.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use axum::body::Bytes;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

/// The time that anything may take on a slow machine.
const MAX_WAIT: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(3600);

const NO_LIMITS: Limits =
    Limits { max_connections: 512, head_timeout: LONG, close_after: LONG, drain_timeout: LONG };

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server whose `POST /` echoes the length of the body.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/", post(|body: Bytes| async move { body.len().to_string() }))
            .route("/large", get(|| async { "x".repeat(1024 * 1024) }));
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, app, limits, async {
            let _ = stopped.await;
        }));
        Self { address, stop: Some(stop), serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    async fn wait(self) {
        timeout(MAX_WAIT, self.serving).await.unwrap().unwrap();
    }
}

/// Sends a request and reads the start of its response.
async fn exchange(client: &mut TcpStream, request: &[u8]) -> io::Result<String> {
    client.write_all(request).await?;
    let mut response = [0; 1024];
    let length = timeout(MAX_WAIT, client.read(&mut response)).await.unwrap()?;
    Ok(String::from_utf8_lossy(&response[..length]).into_owned())
}

/// Reads until the server closes the connection.
async fn read_to_end(client: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = timeout(MAX_WAIT, client.read_to_end(&mut bytes)).await.expect("it is not closed");
    bytes
}

/// Sends a byte at a time until the server closes the connection.
async fn drip(client: &mut TcpStream, bytes: &[u8]) {
    let begun = Instant::now();
    for byte in bytes.iter().cycle() {
        let mut response = [0];
        let read = timeout(Duration::from_millis(20), client.read(&mut response)).await;
        if matches!(read, Ok(Ok(0) | Err(_))) || client.write_all(&[*byte]).await.is_err() {
            return;
        }
        assert!(begun.elapsed() < MAX_WAIT, "it is not closed");
    }
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let server = Server::start(Limits { head_timeout: SHORT, ..NO_LIMITS }).await;
    assert!(read_to_end(&mut server.connect().await).await.is_empty());
}

#[tokio::test]
async fn a_head_that_arrives_a_byte_at_a_time_is_given_up() {
    let server = Server::start(Limits { head_timeout: SHORT, ..NO_LIMITS }).await;
    drip(&mut server.connect().await, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ").await;
}

#[tokio::test]
async fn a_connection_that_idles_after_a_response_is_closed() {
    let server = Server::start(Limits { head_timeout: SHORT, ..NO_LIMITS }).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        assert!(exchange(&mut client, GET).await.unwrap().starts_with("HTTP/1.1 200"));
    }
    assert!(read_to_end(&mut client).await.is_empty());
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Server::start(NO_LIMITS).await;
    let head = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(2 * MAX_BUFFER));
    let response = exchange(&mut server.connect().await, head.as_bytes()).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 431"), "{response}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_another_closes() {
    let server = Server::start(Limits { max_connections: 2, ..NO_LIMITS }).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    for client in [&mut first, &mut second] {
        assert!(exchange(client, GET).await.unwrap().starts_with("HTTP/1.1 200"));
    }
    let mut third = server.connect().await;
    third.write_all(GET).await.unwrap();
    let mut byte = [0];
    assert!(timeout(SHORT, third.read(&mut byte)).await.is_err(), "a third one is served");
    drop(second);
    assert_eq!(timeout(MAX_WAIT, third.read(&mut byte)).await.unwrap().unwrap(), 1);
    assert!(exchange(&mut first, GET).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn silent_connections_at_the_limit_give_way_to_others() {
    let limits = Limits { max_connections: 4, head_timeout: SHORT, ..NO_LIMITS };
    let server = Server::start(limits).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(server.connect().await);
    }
    assert!(exchange(&mut server.connect().await, GET).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_that_never_idles_closes_after_a_response() {
    let server = Server::start(Limits { close_after: SHORT, ..NO_LIMITS }).await;
    let mut client = server.connect().await;
    let begun = Instant::now();
    while let Ok(response) = exchange(&mut client, GET).await
        && !response.is_empty()
    {
        assert!(response.starts_with("HTTP/1.1 200"));
        assert!(begun.elapsed() < MAX_WAIT, "it is not closed");
    }
    assert!(begun.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_client_that_reads_no_response_is_given_up() {
    let limits =
        Limits { max_connections: 1, close_after: SHORT, drain_timeout: SHORT, ..NO_LIMITS };
    let server = Server::start(limits).await;
    let mut deaf = server.connect().await;
    // More than the buffers of both sockets hold.
    deaf.write_all(&b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(64)).await.unwrap();
    assert!(exchange(&mut server.connect().await, GET).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_server_that_stops_finishes_the_request_under_way_and_closes_idle_connections() {
    let mut server = Server::start(NO_LIMITS).await;
    let (mut busy, mut idle) = (server.connect().await, server.connect().await);
    busy.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na")
        .await
        .unwrap();
    assert!(exchange(&mut idle, GET).await.unwrap().starts_with("HTTP/1.1 200"));
    server.stop();
    assert!(read_to_end(&mut idle).await.is_empty());
    assert!(TcpStream::connect(server.address).await.is_err(), "it still accepts connections");
    let response = exchange(&mut busy, b"b").await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200") && response.ends_with("\r\n\r\n2"), "{response}");
    server.wait().await;
}

#[tokio::test]
async fn a_server_that_stops_gives_up_requests_that_do_not_end() {
    let mut server = Server::start(Limits { drain_timeout: SHORT, ..NO_LIMITS }).await;
    let mut slow = server.connect().await;
    slow.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na")
        .await
        .unwrap();
    assert!(exchange(&mut server.connect().await, GET).await.is_ok());
    server.stop();
    server.wait().await;
}

#[tokio::test]
async fn a_server_at_the_limit_of_connections_stops() {
    let limits = Limits { max_connections: 1, drain_timeout: SHORT, ..NO_LIMITS };
    let mut server = Server::start(limits).await;
    let mut only = server.connect().await;
    assert!(exchange(&mut only, GET).await.is_ok());
    server.stop();
    server.wait().await;
}
