use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;

use crate::{BoxError, machine};

/// A server on loopback with a runtime of one thread, which ends with it.
pub(super) struct Server {
    address: SocketAddr,
    thread_clock: Option<PathBuf>,
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// Starts a server. Profilers show the name of its thread.
    pub(super) fn start(name: &str, router: Router) -> Result<Self, BoxError> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (send_clock, receive_clock) = mpsc::channel();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _ = send_clock.send(machine::thread_clock());
            runtime.block_on(async {
                tokio::select! {
                    _ = serve(listener, router) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, thread_clock: receive_clock.recv()?, _stop: stop })
    }

    /// Returns the time that its thread has run, if the system reports it.
    pub(super) fn running_time(&self) -> Option<Duration> {
        machine::running_time(self.thread_clock.as_deref()?)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves the router until the future is dropped.
pub(super) async fn serve(listener: TcpListener, router: Router) -> std::io::Result<()> {
    use axum::serve::ListenerExt as _;
    let listener = listener.tap_io(|stream| {
        // Without an effect on the loopback device, but for the delay of small segments.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}
