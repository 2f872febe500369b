use std::time::Duration;

use crate::advance::advancers;
use crate::args::Args;
use crate::engine::SharedStore;
use crate::fill::{BATCH_SIZE, fill_log};
use crate::load::{run_during, run_for};
use crate::timing::{Quantiles, timed};
use crate::{BoxError, sample};

const CLIENTS: usize = 8;
/// The duration of a first run that is not reported.
const WARM_UP: Duration = Duration::from_millis(300);
const HOUR: Duration = Duration::from_secs(3600);

/// The durations of `SessionStore::advance`, alone and while expired entries are purged from the log.
#[derive(Debug)]
pub(crate) struct Purge {
    pub(crate) alone: Quantiles,
    pub(crate) during: Quantiles,
    /// The number of purged entries.
    pub(crate) purged: usize,
    pub(crate) took: Duration,
}

/// Adds expired entries, a fifth as many as the log has, and measures the clients alone and during the purge.
pub(crate) async fn measure(store: &SharedStore, args: &Args) -> Result<Purge, BoxError> {
    let expired = args.entries.div_ceil(5);
    fill_log(&**store, expired, sample::now() - 2 * HOUR).await?;
    let clients = advancers(store, CLIENTS).await?;
    let (clients, _) = run_for(clients, WARM_UP).await?;
    let (clients, alone) = run_for(clients, args.measure_for).await?;
    let (during, (purged, took)) = run_during(clients, timed(purge_log(store))).await?;
    if purged < expired {
        return Err(format!("{purged} entries were purged instead of {expired}").into());
    }
    Ok(Purge { alone: alone.quantiles(), during: during.quantiles(), purged, took })
}

/// Purges the expired entries in batches, as the library does, and returns their number.
async fn purge_log(store: &SharedStore) -> Result<usize, BoxError> {
    let mut purged = 0;
    loop {
        let batch = store.purge_log(HOUR, BATCH_SIZE).await?;
        purged += batch;
        if batch < BATCH_SIZE {
            return Ok(purged);
        }
    }
}
