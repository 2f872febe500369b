//! The cost of a new node that reads a long log, for the node and for others.

use std::time::Duration;

use crate::advance::{Advancer, advancers};
use crate::engine::Engine;
use crate::fill::{ENTRY_LIFETIME, fill_log};
use crate::load::{Client, run_during, run_for};
use crate::log::follow;
use crate::timing::{Quantiles, median, timed};
use crate::{BoxError, print_progress, sample};

/// The duration of a first run of the bystander that is not reported.
const WARM_UP: Duration = Duration::from_millis(300);

/// The measurements of all rounds.
#[derive(Debug)]
pub(crate) struct CatchUp {
    /// The median time until a new node has read the log, without other work.
    pub(crate) alone: Duration,
    /// The median of the same time during the advances of the bystander.
    pub(crate) with_bystander: Duration,
    /// Advances of the bystander while no node reads the log.
    pub(crate) idle: Quantiles,
    /// Advances of the bystander while new nodes read the log, with the highest percentiles of all rounds.
    pub(crate) during: Quantiles,
}

/// A client that advances its session and pauses before each step.
struct Bystander(Advancer);

impl Client for Bystander {
    const PAUSE: Duration = Duration::from_millis(2);

    async fn step(&mut self) -> Result<(), BoxError> {
        self.0.step().await
    }
}

/// Fills the log and lets a new node read it, twice in each round: alone and beside a bystander.
pub(crate) async fn measure(
    engine: &Engine,
    entries: usize,
    rounds: usize,
    measure_for: Duration,
) -> Result<CatchUp, BoxError> {
    let store = engine.open().await?;
    fill_log(&*store, entries, sample::now() + ENTRY_LIFETIME).await?;
    let bystanders = advancers(&store, 1).await?.into_iter().map(Bystander).collect();
    let (bystanders, _) = run_for(bystanders, WARM_UP).await?;
    let (mut bystanders, idle) = run_for(bystanders, measure_for).await?;
    let (mut alone, mut with_bystander, mut during) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (list, took) = timed(follow(&store)).await?;
        drop(list);
        alone.push(took.as_secs_f64());
        let (timings, (list, took)) = run_during(bystanders, timed(follow(&store))).await?;
        drop(list);
        with_bystander.push(took.as_secs_f64());
        during.push(timings.quantiles());
        bystanders = advancers(&store, 1).await?.into_iter().map(Bystander).collect();
    }
    let max = |of: fn(&Quantiles) -> Duration| during.iter().map(of).max().unwrap_or_default();
    let during = Quantiles {
        p50: max(|quantiles| quantiles.p50),
        p99: max(|quantiles| quantiles.p99),
        max: max(|quantiles| quantiles.max),
    };
    let median_time = |times| median(times).map(Duration::from_secs_f64).unwrap_or_default();
    let result = CatchUp {
        alone: median_time(alone),
        with_bystander: median_time(with_bystander),
        idle: idle.quantiles(),
        during,
    };
    print_progress(&format!("{}: {result:?}", engine.kind().label()));
    Ok(result)
}
