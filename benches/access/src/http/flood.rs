//! Honest requests during a flood of forged tokens, which arrive at four times the rate that one core can verify.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use tower_jwt_auth::Algorithm;

use super::client::{Connection, Quantiles, parse, request};
use super::server::serve;
use crate::BoxError;
use crate::cases::{ours, router};
use crate::keys::Key;
use crate::timing::median;
use crate::tokens::{self, Token};

/// The rate of forged tokens, divided by the rate at which one core verifies.
const OVERLOAD: f64 = 4.0;
const TASKS: usize = 4;
const TICK: Duration = Duration::from_millis(1);
/// The pause between two honest requests.
const PAUSE: Duration = Duration::from_millis(1);

/// The measurements of a flood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    /// The forged tokens per second that were to be sent, and that were answered.
    pub(crate) offered: f64,
    pub(crate) answered: f64,
    /// The share of the answers that were 503.
    pub(crate) unavailable: f64,
    pub(crate) idle: Quantiles,
    pub(crate) during: Quantiles,
}

/// Serves on two worker threads, which the senders of the flood share.
pub(crate) fn measure(rounds: usize, seconds: f64) -> Result<Flood, BoxError> {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let key = Key::generate(Algorithm::ES256)?;
    let issued = tokens::issue(&key, 2)?;
    let offered = OVERLOAD * verifications_per_second(&key, &issued[0])?;
    let address = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let layer = ours::layer(&key).await?;
        tokio::spawn(serve(listener, router().layer(layer)));
        Ok::<_, BoxError>(address)
    })?;
    let duration = Duration::from_secs_f64(seconds);
    let honest = request(&issued[0]);
    send_honest(address, &honest, duration)?;
    let (mut idle, mut during) = (Vec::new(), Vec::new());
    let counts = Arc::new(Counts::default());
    let mut flooded = Duration::ZERO;
    for _ in 0..rounds {
        idle.push(send_honest(address, &honest, duration)?);
        let mut flood = JoinSet::new();
        for _ in 0..TASKS {
            let (template, counts) = (request(&issued[1]), Arc::clone(&counts));
            let per_second = offered / TASKS as f64;
            flood.spawn_on(send_forged(address, template, per_second, counts), runtime.handle());
        }
        let begun = Instant::now();
        during.push(send_honest(address, &honest, duration)?);
        flooded += begun.elapsed();
        runtime.block_on(async {
            if let Some(ended) = flood.try_join_next() {
                return ended?;
            }
            flood.shutdown().await;
            // The server works off the requests that it has received.
            sleep(Duration::from_millis(300)).await;
            Ok(())
        })?;
    }
    let answered = counts.answered.load(Ordering::Relaxed) as f64;
    let quantiles = |all: &[Quantiles]| Quantiles {
        p50: median(all.iter().map(|quantiles| quantiles.p50).collect()),
        p99: median(all.iter().map(|quantiles| quantiles.p99).collect()),
    };
    Ok(Flood {
        offered,
        answered: answered / flooded.as_secs_f64(),
        unavailable: counts.unavailable.load(Ordering::Relaxed) as f64 / answered.max(1.0),
        idle: quantiles(&idle),
        during: quantiles(&during),
    })
}

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    unavailable: AtomicU64,
}

/// Returns how many signatures one core verifies in a second.
fn verifications_per_second(key: &Key, token: &Token) -> Result<f64, BoxError> {
    let parsed = key.parsed()?;
    let (input, signature) = token.signed()?;
    let seconds = (0..1000).map(|_| {
        let begun = Instant::now();
        black_box(parsed.verifies(input.as_bytes(), &signature));
        begun.elapsed().as_secs_f64()
    });
    Ok(1.0 / median(seconds.collect()))
}

/// Sends one request after another from a thread of its own, so that a busy runtime does not delay the clock.
fn send_honest(
    address: SocketAddr,
    request: &[u8],
    duration: Duration,
) -> Result<Quantiles, BoxError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        let mut latencies = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < duration {
            let sent = Instant::now();
            match connection.exchange(request).await? {
                200 => latencies.push(sent.elapsed()),
                status => return Err(format!("an honest request received {status}").into()),
            }
            sleep(PAUSE).await;
        }
        Ok(Quantiles::of(latencies))
    })
}

/// Sends forged tokens at this rate, or as fast as the server reads them.
async fn send_forged(
    address: SocketAddr,
    template: Vec<u8>,
    per_second: f64,
    counts: Arc<Counts>,
) -> Result<(), BoxError> {
    let (mut reader, mut writer) = Connection::open(address).await?.into_stream().into_split();
    let send = async {
        let mut ticks = interval(TICK);
        let mut requests = Vec::new();
        loop {
            ticks.tick().await;
            requests.clear();
            for _ in 0..(per_second * TICK.as_secs_f64()) as usize {
                append_forged(&template, &mut requests)?;
            }
            writer.write_all(&requests).await?;
        }
    };
    let receive = async {
        let mut received = Vec::with_capacity(1 << 16);
        loop {
            let mut done = 0;
            while let Some((status, length)) = parse(&received[done..])? {
                done += length;
                counts.answered.fetch_add(1, Ordering::Relaxed);
                match status {
                    401 => {}
                    503 => _ = counts.unavailable.fetch_add(1, Ordering::Relaxed),
                    status => return Err(format!("a forged token received {status}").into()),
                }
            }
            received.drain(..done);
            if reader.read_buf(&mut received).await? == 0 {
                return Err("the server closed the connection of the flood".into());
            }
        }
    };
    tokio::select! {
        result = send => result,
        result = receive => result,
    }
}

/// Appends the request with a random signature of 64 bytes.
fn append_forged(template: &[u8], requests: &mut Vec<u8>) -> Result<(), BoxError> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = [0; 85];
    rand::fill(&mut random)?;
    requests.extend_from_slice(template);
    let end = requests.len() - b"\r\n\r\n".len();
    // The last of the 86 characters has two significant bits, and is left as it is.
    for (character, random) in requests[end - 86..end - 1].iter_mut().zip(random) {
        *character = ALPHABET[usize::from(random % 64)];
    }
    Ok(())
}
