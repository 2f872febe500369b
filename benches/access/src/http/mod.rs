//! The layer over a socket: a server of one thread, and clients in another one.

mod client;
pub(crate) mod flood;
mod server;

use std::time::Duration;

use axum::Router;
use tokio::runtime::Runtime;
use tower_jwt_auth::Algorithm;

use self::client::{Load, request};
pub(crate) use self::client::{Quantiles, run_load};
use self::server::Server;
use crate::BoxError;
use crate::cases::{NoopLayer, ours, peers, router};
use crate::keys::Key;
use crate::timing::median;
use crate::tokens;

const CONNECTIONS: usize = 32;
const ROTATION: usize = 10_000;
const NO_AUTH: &str = "no auth";

/// The measurements of one server.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) label: &'static str,
    pub(crate) tokens: usize,
    pub(crate) per_second: f64,
    /// The requests per second divided by those without authentication, with the same tokens.
    pub(crate) ratio: f64,
    /// The microseconds that the server's thread runs for a request.
    pub(crate) running: Option<f64>,
    /// The same without authentication, divided by it. Other work on the machine hardly changes it.
    pub(crate) running_ratio: Option<f64>,
    pub(crate) latencies: Quantiles,
    /// The 99th percentile divided by the one without authentication.
    pub(crate) p99_ratio: f64,
}

struct Target {
    label: &'static str,
    tokens: usize,
    server: Server,
    rounds: Vec<Round>,
}

#[derive(Clone, Copy)]
struct Round {
    load: Load,
    running: Option<f64>,
}

impl Target {
    fn run(&mut self, requests: &[Vec<u8>], seconds: f64) -> Result<Round, BoxError> {
        let requests = requests.iter().take(self.tokens).cloned().collect();
        let duration = Duration::from_secs_f64(seconds);
        let before = self.server.running_time();
        let load = run_load(self.server.address(), CONNECTIONS, requests, duration)?;
        let running = before
            .zip(self.server.running_time())
            .map(|(before, after)| (after - before).as_secs_f64() * 1e6 / load.requests.max(1.0));
        Ok(Round { load, running })
    }

    /// Compares each round with the same round of the server without authentication.
    fn compare(&self, base: &Self) -> Http {
        let of = |value: fn(&Round) -> f64| median(self.rounds.iter().map(value).collect());
        let ratio = |value: fn(&Round) -> f64| {
            let rounds = self.rounds.iter().zip(&base.rounds);
            median(rounds.map(|(own, base)| value(own) / value(base)).collect())
        };
        let is_running_known = self.rounds.iter().all(|round| round.running.is_some());
        let running = |round: &Round| round.running.unwrap_or(f64::NAN);
        Http {
            label: self.label,
            tokens: self.tokens,
            per_second: of(|round| round.load.per_second),
            ratio: ratio(|round| round.load.per_second),
            running: is_running_known.then(|| of(running)),
            running_ratio: is_running_known.then(|| 1.0 / ratio(running)),
            latencies: Quantiles {
                p50: of(|round| round.load.latencies.p50),
                p99: of(|round| round.load.latencies.p99),
            },
            p99_ratio: ratio(|round| round.load.latencies.p99),
        }
    }
}

/// Returns the routers, each with its name and the number of tokens.
async fn routers(key: &Key) -> Result<Vec<(&'static str, usize, Router)>, BoxError> {
    let layer = ours::layer(key).await?;
    let mut routers = Vec::new();
    for tokens in [1, ROTATION] {
        routers.push((NO_AUTH, tokens, router()));
        routers.push(("a layer that does nothing", tokens, router().layer(NoopLayer)));
        routers.push(("ours", tokens, router().layer(layer.clone())));
    }
    routers.extend(peers::routers(key).await?.into_iter().map(|(label, peer)| (label, 1, peer)));
    Ok(routers)
}

/// Measures the rate of requests, each round all servers in turn.
pub(crate) fn measure(
    runtime: &Runtime,
    rounds: usize,
    seconds: f64,
) -> Result<Vec<Http>, BoxError> {
    let key = Key::generate(Algorithm::ES256)?;
    let issued = tokens::issue(&key, ROTATION)?;
    let requests: Vec<Vec<u8>> = issued.iter().map(request).collect();
    let servers = runtime.block_on(routers(&key))?;
    let mut targets = Vec::new();
    for (label, tokens, router) in servers {
        let server = Server::start(&format!("{tokens} {label}"), router)?;
        targets.push(Target { label, tokens, server, rounds: Vec::new() });
    }
    for target in &mut targets {
        // The layer keeps a token when it comes for the second time.
        let mut seconds = 1.0;
        while target.run(&requests, seconds)?.load.requests < 3.0 * target.tokens as f64 {
            seconds *= 2.0;
        }
    }
    for _ in 0..rounds {
        for target in &mut targets {
            let round = target.run(&requests, seconds)?;
            target.rounds.push(round);
        }
    }
    let base =
        |tokens| targets.iter().find(|target| target.label == NO_AUTH && target.tokens == tokens);
    let compare = |target: &Target| Some(target.compare(base(target.tokens)?));
    Ok(targets.iter().filter_map(compare).collect())
}
