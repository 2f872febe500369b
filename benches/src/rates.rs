use std::time::Duration;

use crate::BoxError;
use crate::advance::advancers;
use crate::args::Args;
use crate::baseline::Baseline;
use crate::engine::{Engine, SharedStore};
use crate::load::{median, run_for};
use crate::refresh::refreshers;

/// How many clients there are at a time.
const CLIENTS: [usize; 3] = [1, 8, 64];
/// How long each works before it is measured: connections are made, statements prepared.
const WARM_UP: Duration = Duration::from_millis(500);

/// What was done per second.
#[derive(Debug)]
pub(crate) struct Rate {
    pub(crate) store: &'static str,
    pub(crate) clients: usize,
    pub(crate) refresh: f64,
    pub(crate) advance: f64,
    /// What the engine itself does; none without its benchmark.
    pub(crate) baseline: Option<f64>,
}

/// Measures the store and the engine in turns, so that both drift alike, for each number of clients.
pub(crate) async fn measure(
    engine: &Engine,
    store: &SharedStore,
    args: &Args,
    skipped: &mut Vec<String>,
) -> Result<Vec<Rate>, BoxError> {
    let mut baseline = Baseline::prepare(engine, store, skipped).await?;
    let mut rates = Vec::new();
    for clients in CLIENTS {
        let refreshing = refreshers(store, clients, Duration::ZERO).await?;
        let advancing = advancers(store, clients).await?;
        let (mut refreshing, _) = run_for(refreshing, WARM_UP).await?;
        let (mut advancing, _) = run_for(advancing, WARM_UP).await?;
        if let Some(baseline) = &mut baseline {
            baseline.rate(clients, WARM_UP).await?;
        }
        let (mut refresh, mut advance, mut baseline_rates) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            let load;
            (refreshing, load) = run_for(refreshing, args.measure_for).await?;
            refresh.push(load.rate());
            let load;
            (advancing, load) = run_for(advancing, args.measure_for).await?;
            advance.push(load.rate());
            if let Some(baseline) = &mut baseline {
                baseline_rates.push(baseline.rate(clients, args.measure_for).await?);
            }
        }
        rates.push(Rate {
            store: engine.kind().label(),
            clients,
            refresh: median(refresh).unwrap_or_default(),
            advance: median(advance).unwrap_or_default(),
            baseline: median(baseline_rates),
        });
    }
    Ok(rates)
}
