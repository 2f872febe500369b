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

/// The measurements of one server.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) label: &'static str,
    pub(crate) tokens: usize,
    pub(crate) per_second: f64,
    /// The requests per second divided by those without authentication, with the same tokens.
    pub(crate) ratio: f64,
    pub(crate) latencies: Quantiles,
    /// The 99th percentile divided by the one without authentication.
    pub(crate) p99_ratio: f64,
}

struct Target {
    label: &'static str,
    tokens: usize,
    server: Server,
    loads: Vec<Load>,
}

/// Returns the routers, each with its name and the number of tokens.
async fn routers(key: &Key) -> Result<Vec<(&'static str, usize, Router)>, BoxError> {
    let layer = ours::layer(key).await?;
    let mut routers = Vec::new();
    for tokens in [1, ROTATION] {
        routers.push(("no auth", tokens, router()));
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
        targets.push(Target { label, tokens, server: Server::start(router)?, loads: Vec::new() });
    }
    for round in 0..=rounds {
        for target in &mut targets {
            let requests = requests.iter().take(target.tokens).cloned().collect();
            // The first round is the warm-up, in which the layer sees each token.
            let seconds = if round == 0 { seconds.max(2.0) } else { seconds };
            let duration = Duration::from_secs_f64(seconds);
            let load = run_load(target.server.address(), CONNECTIONS, requests, duration)?;
            if round > 0 {
                target.loads.push(load);
            }
        }
    }
    let mut measured: Vec<Http> = Vec::new();
    for target in &targets {
        let of = |value: fn(&Load) -> f64| median(target.loads.iter().map(value).collect());
        let latencies =
            Quantiles { p50: of(|load| load.latencies.p50), p99: of(|load| load.latencies.p99) };
        let per_second = of(|load| load.per_second);
        let base = measured
            .iter()
            .find(|http| http.label == "no auth" && http.tokens == target.tokens)
            .map_or((per_second, latencies.p99), |base| (base.per_second, base.latencies.p99));
        measured.push(Http {
            label: target.label,
            tokens: target.tokens,
            per_second,
            ratio: per_second / base.0,
            latencies,
            p99_ratio: latencies.p99 / base.1,
        });
    }
    Ok(measured)
}
