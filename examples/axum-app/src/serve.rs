//! Serves HTTP/1.1 with bounds on the connections of clients, and stops gracefully.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use crate::config::StartError;

/// The max size of a connection's read buffer, in bytes. The head of a request must fit into it.
const MAX_BUFFER: usize = 32 * 1024;

/// The bounds on the resources that clients hold.
///
/// `REQUEST_TIMEOUT` in `app.rs` bounds a request whose head has arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The max number of open connections. Others wait in the system's queue until one closes.
    max_connections: usize,
    /// The time to receive the head of a request, from the start of the connection or from the response before. An
    /// idle connection closes after it.
    head_timeout: Duration,
    /// The time after which a connection accepts no further request. It bounds clients that send requests and do
    /// not read the responses.
    close_after: Duration,
    /// The time for the last request of a connection that closes, or of a server that stops.
    drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Each takes a file descriptor, of which a process often has 1024.
            max_connections: 512,
            head_timeout: Duration::from_secs(10),
            close_after: Duration::from_secs(300),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// Serves until `stop` completes, and then waits for the requests under way, within the limits.
// Not `axum::serve`, which has no timeouts. Not hyper-util's `auto`, which has none while it reads the version of HTTP.
pub(crate) async fn serve(
    mut listener: TcpListener,
    app: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let (connections, stopping) = (TaskTracker::new(), CancellationToken::new());
    let mut app = app.into_make_service_with_connect_info::<SocketAddr>();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(MAX_BUFFER);

    let mut stop = pin!(stop);
    loop {
        let accept = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, Listener::accept(&mut listener).await)
        };
        let (permit, (stream, peer)) = tokio::select! {
            accepted = accept => accepted,
            () = &mut stop => break,
        };
        let Ok(service) = app.call(peer).await;
        let service = TowerToHyperService::new(service);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let stopping = stopping.clone();
        connections.spawn(async move {
            let _permit = permit;
            let mut connection = pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => return,
                () = stopping.cancelled() => {}
                () = sleep(limits.close_after) => {}
            }
            connection.as_mut().graceful_shutdown();
            if timeout(limits.drain_timeout, connection).await.is_err() {
                tracing::warn!(address = %peer.ip(), "closed a connection before its request ended");
            }
        });
    }

    // Clients that connect from now on are refused.
    drop(listener);
    tracing::info!("stopping");
    stopping.cancel();
    connections.close();
    connections.wait().await;
}

/// Returns a future that completes on ctrl-c or SIGTERM.
#[cfg(unix)]
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>, StartError> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen =
        |kind| signal(kind).map_err(|source| StartError::new("cannot wait for signals", source));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Returns a future that completes on ctrl-c.
#[cfg(not(unix))]
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>, StartError> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            // The server runs on without this way to stop it.
            std::future::pending::<()>().await;
        }
    })
}
