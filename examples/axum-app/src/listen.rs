//! Opens the listening socket.

use std::io;
use std::net::IpAddr;

use tokio::net::{TcpListener, lookup_host};

use crate::config::StartError;

/// Listens at the first address of `bind` that the system accepts.
pub(crate) async fn bind(bind: &str) -> Result<TcpListener, StartError> {
    let failed = |source| StartError::new(format!("cannot listen at BIND={bind:?}"), source);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host(bind).await.map_err(failed)? {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            // With the next address, http://localhost:3000 could reach either of two servers.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(failed(error)),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

/// Returns the address for a browser: the host name, if `bind` has one, and the actual port.
pub(crate) fn address(bind: &str, listener: &TcpListener) -> io::Result<String> {
    let local = listener.local_addr()?;
    let host = bind.rsplit_once(':').map_or(bind, |(host, _)| host);
    let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
    Ok(if is_address { local.to_string() } else { format!("{host}:{}", local.port()) })
}
