//! A server that stops completes the logouts that have begun.
#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::StatusCode;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::client::{Browser, COOKIE_NAME};
use crate::server::Server;
use crate::workspace::Workspace;

/// Sends a logout on a connection of its own, and disconnects without waiting for the response.
fn log_out_and_leave(server: &Server, browser: &Browser) {
    let address = server.address().strip_prefix("http://").unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let request = format!(
        "POST /auth/logout HTTP/1.1\r\nHost: localhost\r\nCookie: {COOKIE_NAME}={}\r\n\r\n",
        browser.cookie
    );
    client.write_all(request.as_bytes()).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(client.read(&mut [0]).is_err(), "a response while the database is locked");
}

#[tokio::test]
async fn a_server_that_stops_completes_a_logout_whose_client_has_left() {
    let workspace = Workspace::new();
    let mut server = workspace.start();
    let alice = Browser::sign_in(&server, "alice").await;
    assert_eq!(alice.is_alive().await, (true, true));

    let database = SqliteConnectOptions::new().filename(workspace.path("sessions.db"));
    let mut database = SqliteConnection::connect_with(&database).await.unwrap();
    database.execute("BEGIN IMMEDIATE").await.unwrap();
    log_out_and_leave(&server, &alice);
    let stopping = spawn_blocking(move || server.stop());
    sleep(Duration::from_millis(300)).await;
    database.execute("COMMIT").await.unwrap();
    assert_eq!(stopping.await.unwrap().code(), Some(0));

    let again = workspace.start();
    assert_eq!(alice.at(&again).post("/auth/refresh").await.status, StatusCode::UNAUTHORIZED);
}
