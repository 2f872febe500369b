//! Clients that send slowly or not at all, on raw sockets. `src/serve/tests.rs` has the limits one by one.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::get;
use crate::server::{MAX_WAIT, Server};

/// Connects. Reads of the connection wait for a moment and no longer.
fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream
}

/// Sends the bytes repeatedly until the server closes the connection. Returns the response.
fn drip(client: &mut TcpStream, bytes: &[u8]) -> String {
    let (begun, mut response) = (Instant::now(), Vec::new());
    loop {
        let mut buffer = [0; 1024];
        match client.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => response.extend_from_slice(&buffer[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                // If it fails, the next read ends as well.
                let _ = client.write_all(bytes);
            }
            Err(_) => break,
        }
        assert!(begun.elapsed() < MAX_WAIT, "the server does not close the connection");
    }
    String::from_utf8(response).unwrap()
}

#[tokio::test]
async fn clients_without_a_request_are_disconnected_and_others_are_served_meanwhile() {
    let server = Server::start(&[]);
    let mut clients: Vec<_> = (0..100).map(|_| connect(&server)).collect();
    for client in clients.iter_mut().skip(50) {
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
    }
    assert_eq!(get(&server, "/").await.status, 200);
    for client in &mut clients {
        assert_eq!(drip(client, b""), "");
    }
}

#[test]
fn a_head_that_arrives_a_byte_at_a_time_is_given_up() {
    let server = Server::start(&[]);
    let mut client = connect(&server);
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
    assert_eq!(drip(&mut client, b"x"), "");
}

#[test]
fn a_body_that_arrives_a_byte_at_a_time_is_answered_408_and_disconnected() {
    let server = Server::start(&[]);
    let mut client = connect(&server);
    let head = "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 16000\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    let response = drip(&mut client, b" ");
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    assert!(response.contains(r#"{"error":"request_timeout","#), "{response}");
    let head = response.to_ascii_lowercase();
    assert!(head.contains("\r\ncache-control: no-store\r\n"), "{response}");
    assert!(head.contains("\r\nx-content-type-options: nosniff\r\n"), "{response}");
}

#[test]
fn a_body_that_no_handler_reads_does_not_keep_the_connection() {
    let server = Server::start(&[]);
    let mut client = connect(&server);
    let head = "GET /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16000\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    let response = drip(&mut client, b" ");
    assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
}
