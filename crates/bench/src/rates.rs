use std::time::Duration;

use crate::Failure;
use crate::advancing::advancers;
use crate::args::Args;
use crate::engine::{Engine, SharedStore};
use crate::load::{median, run_for};
use crate::raw::Raw;
use crate::refreshing::refreshers;

/// How many clients there are at a time.
const CLIENTS: [usize; 3] = [1, 8, 64];
/// How long each works before it is measured: connections are made, statements prepared.
const WARM_UP: Duration = Duration::from_millis(500);

/// What was done per second.
#[derive(Debug)]
pub(crate) struct Rate {
    pub(crate) name: &'static str,
    pub(crate) clients: usize,
    pub(crate) refresh: f64,
    pub(crate) advance: f64,
    /// What the engine itself does; none without its benchmark.
    pub(crate) raw: Option<f64>,
}

/// Measures the store and the engine in turns, so that both drift alike, for each number of clients.
pub(crate) async fn measure(
    engine: &Engine,
    store: &SharedStore,
    args: &Args,
    skipped: &mut Vec<String>,
) -> Result<Vec<Rate>, Failure> {
    let mut raw = Raw::prepare(engine, store, skipped).await?;
    let mut rates = Vec::new();
    for clients in CLIENTS {
        let refreshing = refreshers(store, clients, Duration::ZERO).await?;
        let advancing = advancers(store, clients).await?;
        let (mut refreshing, _) = run_for(refreshing, WARM_UP).await?;
        let (mut advancing, _) = run_for(advancing, WARM_UP).await?;
        if let Some(raw) = &mut raw {
            raw.rate(clients, WARM_UP).await?;
        }
        let (mut refresh, mut advance, mut of_raw) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            let load;
            (refreshing, load) = run_for(refreshing, args.time).await?;
            refresh.push(load.rate());
            let load;
            (advancing, load) = run_for(advancing, args.time).await?;
            advance.push(load.rate());
            if let Some(raw) = &mut raw {
                of_raw.push(raw.rate(clients, args.time).await?);
            }
        }
        rates.push(Rate {
            name: engine.kind().name(),
            clients,
            refresh: median(refresh).unwrap_or_default(),
            advance: median(advance).unwrap_or_default(),
            raw: median(of_raw),
        });
    }
    Ok(rates)
}
