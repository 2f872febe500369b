//! Listening, and stopping.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, lookup_host};
use tokio::sync::Notify;

use crate::config::StartError;

/// How long requests under way may take once the server is to stop.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn bind(bind: &str) -> Result<TcpListener, StartError> {
    let refuse = |source| StartError::new(format!("cannot listen at BIND={bind:?}"), source);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host(bind).await.map_err(refuse)? {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            // Were the next address tried, http://localhost:3000 could be two servers.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(refuse(error)),
            Err(error) => last = error,
        }
    }
    Err(refuse(last))
}

/// The address as the browser is to use it: with the name, if one was given, and with the real port.
pub(crate) fn address(bind: &str, listener: &TcpListener) -> io::Result<String> {
    let local = listener.local_addr()?;
    let host = bind.rsplit_once(':').map_or(bind, |(host, _)| host);
    let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
    Ok(if is_address { local.to_string() } else { format!("{host}:{}", local.port()) })
}

/// Serves until `stop`, and then what is under way, for a while.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let stopping = Arc::new(Notify::new());
    let told = Arc::clone(&stopping);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        stop.await;
        tracing::info!("stopping");
        told.notify_one();
    });
    let patience = async {
        stopping.notified().await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        ended = server => ended,
        // A client that never finishes its request must not keep the server alive.
        () = patience => {
            tracing::warn!("gave up on requests that did not end");
            Ok(())
        }
    }
}

/// Done on ctrl-c or SIGTERM.
#[cfg(unix)]
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, StartError> {
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

/// Done on ctrl-c.
#[cfg(not(unix))]
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, StartError> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            // A server that cannot be told to stop is better than one that stops at once.
            std::future::pending::<()>().await;
        }
    })
}
