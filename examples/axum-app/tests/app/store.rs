//! `STORE`: sessions and logouts outlive the process and apply to the other processes on the store.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use tower_jwt_auth_tests::servers;

use crate::client::{Browser, get};
use crate::server::{MAX_WAIT, Server};
use crate::workspace::Workspace;

/// Waits until this server has a fresh list of revocations, and does not query the store for each request.
async fn be_ready(server: &Server) {
    let deadline = Instant::now() + MAX_WAIT;
    while get(server, "/readyz").await.status != StatusCode::OK {
        assert!(Instant::now() < deadline, "the server does not become ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn access(browser: &Browser) -> StatusCode {
    browser.call(Method::GET, "/api/me").await.status
}

#[cfg(unix)]
#[tokio::test]
async fn a_session_outlives_a_restart() {
    for workspace in Workspace::each(1) {
        let mut server = workspace.start();
        let mut alice = Browser::sign_in(&server, "alice").await;
        assert_eq!(server.stop().code(), Some(0));
        for _ in 0..2 {
            let mut again = workspace.start();
            alice = alice.at(&again);
            assert_eq!(access(&alice).await, StatusCode::OK);
            let refreshed = alice.post("/auth/refresh").await;
            assert_eq!(refreshed.status, StatusCode::OK, "{refreshed:?}");
            alice.keep(&refreshed);
            // An acknowledged refresh is stored, however the process ends.
            again.kill();
        }
        let last = workspace.start();
        assert_eq!(alice.at(&last).is_alive().await, (true, true));
    }
}

#[tokio::test]
async fn a_logout_outlives_a_restart() {
    for workspace in Workspace::each(2) {
        let mut server = workspace.start();
        let alice = Browser::sign_in(&server, "alice").await;
        let elsewhere = Browser::sign_in(&server, "alice").await;
        assert_eq!(alice.post("/auth/logout").await.status, StatusCode::NO_CONTENT);
        server.kill();
        let again = workspace.start();
        // By the store at first, and then by the list.
        assert_eq!(alice.at(&again).is_alive().await, (false, false));
        be_ready(&again).await;
        assert_eq!(alice.at(&again).is_alive().await, (false, false));
        assert_eq!(elsewhere.at(&again).is_alive().await, (true, true));
    }
}

#[tokio::test]
async fn a_logout_applies_to_the_other_process_soon() {
    for workspace in Workspace::each(3) {
        let (one, other) = (workspace.start(), workspace.start());
        let alice = Browser::sign_in(&one, "alice").await;
        let there = alice.at(&other);
        assert_eq!(access(&there).await, StatusCode::OK);
        be_ready(&other).await;
        assert_eq!(access(&there).await, StatusCode::OK);
        assert_eq!(alice.post("/auth/logout").await.status, StatusCode::NO_CONTENT);
        assert_eq!(access(&alice).await, StatusCode::UNAUTHORIZED);
        let deadline = Instant::now() + MAX_WAIT;
        while access(&there).await != StatusCode::UNAUTHORIZED {
            assert!(Instant::now() < deadline, "the other process does not see the logout");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        there.post("/auth/refresh").await.assert_error(401, "invalid_token");
    }
}

#[tokio::test]
async fn two_processes_that_refresh_at_the_same_time_return_the_same_successor() {
    for workspace in Workspace::each(4) {
        let (one, other) = (workspace.start(), workspace.start());
        let alice = Browser::sign_in(&one, "alice").await;
        let there = alice.at(&other);
        let (first, second) =
            tokio::join!(alice.post("/auth/refresh"), there.post("/auth/refresh"));
        assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::OK));
        assert_eq!(first.cookie(), second.cookie());
    }
}

#[tokio::test]
async fn without_the_same_keys_a_restart_signs_everyone_out() {
    let workspace = Workspace::new();
    let [store, _] = workspace.variables();
    let mut server = Server::start(&[store]);
    let alice = Browser::sign_in(&server, "alice").await;
    server.kill();
    let again = Server::start(&[store]);
    assert_eq!(alice.at(&again).is_alive().await, (false, false));
}

#[tokio::test]
async fn a_server_is_ready_while_it_reads_its_heartbeats_within_max_staleness() {
    let Some(postgres) = servers::postgres() else { return };
    let proxy = servers::Proxy::start(postgres.address());
    let (there, here) = (postgres.address().to_string(), proxy.address().to_string());
    let workspace = Workspace::on(&postgres.new_database().replace(&there, &here));
    let [store, keys] = workspace.variables();
    let server = Server::start(&[store, keys, ("MAX_STALENESS", "1"), ("HEARTBEAT", "100")]);
    be_ready(&server).await;
    let (begun, mut last_ready) = (Instant::now(), Duration::ZERO);
    // Less than the default of 5 seconds between heartbeats.
    while begun.elapsed() < Duration::from_secs(4) {
        if get(&server, "/readyz").await.status == StatusCode::OK {
            last_ready = begun.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(last_ready > Duration::from_secs(2), "{last_ready:?}");
    let alice = Browser::sign_in(&server, "alice").await;
    proxy.freeze();
    let frozen = Instant::now();
    while get(&server, "/readyz").await.status == StatusCode::OK {
        assert!(frozen.elapsed() < MAX_WAIT, "the server is still ready with a stale list");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Less than the default of 30 seconds.
    assert!(frozen.elapsed() < Duration::from_secs(20));
    alice.call(Method::GET, "/api/me").await.assert_error(503, "temporarily_unavailable");
    proxy.mend();
    be_ready(&server).await;
    assert_eq!(access(&alice).await, StatusCode::OK);
}
