use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::JoinSet;

use crate::BoxError;
use crate::tokens::Token;

/// Quantiles of a latency, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Quantiles {
    pub(super) fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        let at = |share: usize| {
            let index = (latencies.len() * share / 100).min(latencies.len().saturating_sub(1));
            latencies.get(index).copied().unwrap_or_default().as_secs_f64() * 1e6
        };
        Self { p50: at(50), p99: at(99) }
    }
}

/// The result of a load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
    pub(crate) latencies: Quantiles,
}

/// Returns a request with this token.
pub(super) fn request(token: &Token) -> Vec<u8> {
    let token = token.text();
    let head =
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
    head.into_bytes()
}

/// A connection that is used for one request after another.
pub(super) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// Sends a request, and returns the status of its response.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<u16, BoxError> {
        self.stream.write_all(request).await?;
        loop {
            if let Some((status, length)) = parse(&self.received)? {
                self.received.drain(..length);
                return Ok(status);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the server closed the connection".into());
            }
        }
    }
}

/// Returns the status and the length of the first response, or `None` if it is incomplete.
fn parse(bytes: &[u8]) -> Result<Option<(u16, usize)>, BoxError> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    let status = head.get(9..12).ok_or("a short status line")?.parse()?;
    let body: usize =
        match head.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")) {
            Some(length) => length.parse()?,
            None => 0,
        };
    let length = end + 4 + body;
    Ok((bytes.len() >= length).then_some((status, length)))
}

/// Sends the requests in rotation over these connections, from a thread of its own.
pub(crate) fn run_load(
    address: SocketAddr,
    connections: usize,
    requests: Vec<Vec<u8>>,
    duration: Duration,
) -> Result<Load, BoxError> {
    let requests: Arc<[Vec<u8>]> = requests.into();
    let run = move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut clients = JoinSet::new();
            let begun = Instant::now();
            for number in 0..connections {
                let first = number * requests.len() / connections;
                clients.spawn(send(address, Arc::clone(&requests), first, begun + duration));
            }
            let mut latencies = Vec::new();
            while let Some(client) = clients.join_next().await {
                latencies.extend(client??);
            }
            let requests = latencies.len() as f64;
            let per_second = requests / begun.elapsed().as_secs_f64();
            Ok(Load { requests, per_second, latencies: Quantiles::of(latencies) })
        })
    };
    std::thread::scope(|scope| {
        scope.spawn(run).join().unwrap_or_else(|_| Err("a client panicked".into()))
    })
}

async fn send(
    address: SocketAddr,
    requests: Arc<[Vec<u8>]>,
    first: usize,
    end: Instant,
) -> Result<Vec<Duration>, BoxError> {
    let mut connection = Connection::open(address).await?;
    let mut latencies = Vec::new();
    for request in requests.iter().cycle().skip(first) {
        let sent = Instant::now();
        if sent >= end {
            break;
        }
        match connection.exchange(request).await? {
            200 => latencies.push(sent.elapsed()),
            status => return Err(format!("a good token received {status}").into()),
        }
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_complete_with_its_body() {
        let response = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}HTTP";
        let length = response.len() - 4;
        assert_eq!(parse(response).unwrap(), Some((401, length)));
        assert_eq!(parse(&response[..length]).unwrap(), Some((401, length)));
        assert_eq!(parse(&response[..length - 1]).unwrap(), None);
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\n").unwrap(), None);
    }

    #[test]
    fn quantiles_are_in_microseconds() {
        let quantiles = Quantiles::of((1..=200).map(Duration::from_micros).collect());
        assert_eq!((quantiles.p50, quantiles.p99), (101.0, 199.0));
    }
}
