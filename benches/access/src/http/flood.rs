//! Honest requests during a flood of forged tokens, which arrive at up to four times the rate that one core can verify.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower_jwt_auth::Algorithm;

use super::client::{Connection, Quantiles, request};
use super::server::serve;
use crate::BoxError;
use crate::cases::{ours, router};
use crate::keys::Key;
use crate::timing::median;
use crate::tokens::{self, Token};

/// The connections of the flood. 256 requests wait for their turn, and the others are answered at once: with the pause
/// below, they are some four times as many in a second as one core verifies.
const CONNECTIONS: usize = 320;
/// The pause of a client after each response.
const PAUSE: Duration = Duration::from_millis(1);

/// The measurements of a flood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    /// The signatures per second that one core verifies.
    pub(crate) capacity: f64,
    /// The forged tokens per second that were answered.
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
    let capacity = verifications_per_second(&key, &issued[0])?;
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
    for round in 0..rounds {
        idle.push(send_honest(address, &honest, duration)?);
        let mut flood = JoinSet::new();
        for number in 0..CONNECTIONS {
            let (template, counts) = (request(&issued[1]), Arc::clone(&counts));
            let forger = Forger { template, state: (round * CONNECTIONS + number) as u64 };
            flood.spawn_on(send_forged(address, forger, counts), runtime.handle());
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
        capacity,
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

/// Sends one forged token after another.
async fn send_forged(
    address: SocketAddr,
    mut forger: Forger,
    counts: Arc<Counts>,
) -> Result<(), BoxError> {
    let mut connection = Connection::open(address).await?;
    loop {
        let status = connection.exchange(forger.forge()).await?;
        counts.answered.fetch_add(1, Ordering::Relaxed);
        match status {
            401 => {}
            503 => _ = counts.unavailable.fetch_add(1, Ordering::Relaxed),
            status => return Err(format!("a forged token received {status}").into()),
        }
        sleep(PAUSE).await;
    }
}

/// Forges tokens that differ in their signatures.
struct Forger {
    /// A request with a token.
    template: Vec<u8>,
    /// The state of a generator of random numbers (SplitMix64).
    state: u64,
}

impl Forger {
    /// Returns the request with a random signature of 64 bytes.
    fn forge(&mut self) -> &[u8] {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let end = self.template.len() - b"\r\n\r\n".len();
        // The last of the 86 characters has two significant bits, and is left as it is.
        for characters in self.template[end - 86..end - 1].chunks_mut(10) {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut random = self.state;
            random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            random ^= random >> 31;
            for character in characters {
                *character = ALPHABET[(random % 64) as usize];
                random /= 64;
            }
        }
        &self.template
    }
}
