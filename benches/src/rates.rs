use std::time::Duration;

use crate::BoxError;
use crate::advance::advancers;
use crate::args::Args;
use crate::baseline::Baseline;
use crate::engine::{Engine, EngineKind, SharedStore};
use crate::load::run_for;
use crate::refresh::refreshers;
use crate::timing::median;

/// The numbers of concurrent clients that are measured.
const CLIENTS: [usize; 3] = [1, 8, 64];
/// The duration of a first run that is not reported: it opens connections and prepares statements.
const WARM_UP: Duration = Duration::from_millis(500);

/// Operations per second for a number of clients.
#[derive(Debug)]
pub(crate) struct Rates {
    pub(crate) kind: EngineKind,
    pub(crate) clients: usize,
    pub(crate) refresh: f64,
    pub(crate) advance: f64,
    /// The rate of the engine alone. `None` if its benchmark program is not installed.
    pub(crate) baseline: Option<f64>,
}

/// Measures refreshes, advances and the baseline in turn, so that a change of the machine's speed affects all of them
/// equally.
pub(crate) async fn measure(
    engine: &Engine,
    store: &SharedStore,
    args: &Args,
    skipped: &mut Vec<String>,
) -> Result<Vec<Rates>, BoxError> {
    let mut baseline = Baseline::prepare(engine, store, skipped).await?;
    let mut rates = Vec::new();
    for clients in CLIENTS {
        let refreshers = refreshers(store, clients, Duration::ZERO).await?;
        let advancers = advancers(store, clients).await?;
        let (mut refreshers, _) = run_for(refreshers, WARM_UP).await?;
        let (mut advancers, _) = run_for(advancers, WARM_UP).await?;
        if let Some(baseline) = &mut baseline {
            baseline.rate(clients, WARM_UP).await?;
        }
        let (mut refresh, mut advance, mut alone) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            let timings;
            (refreshers, timings) = run_for(refreshers, args.measure_for).await?;
            refresh.push(timings.rate());
            let timings;
            (advancers, timings) = run_for(advancers, args.measure_for).await?;
            advance.push(timings.rate());
            if let Some(baseline) = &mut baseline {
                alone.push(baseline.rate(clients, args.measure_for).await?);
            }
        }
        rates.push(Rates {
            kind: engine.kind(),
            clients,
            refresh: median(refresh).unwrap_or_default(),
            advance: median(advance).unwrap_or_default(),
            baseline: median(alone),
        });
    }
    Ok(rates)
}
