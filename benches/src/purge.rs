use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::advance::{Advancer, advancers};
use crate::args::Args;
use crate::engine::SharedStore;
use crate::fill::{BATCH_SIZE, fill_log};
use crate::load::{Load, run, run_for};
use crate::{BoxError, sample};

const CLIENTS: usize = 8;
/// How many clients' steps are not measured at first.
const WARM_UP: Duration = Duration::from_millis(300);
const HOUR: Duration = Duration::from_secs(3600);

/// How long a step of a session takes, with and without old entries being removed from the log during.
#[derive(Debug)]
pub(crate) struct Purge {
    pub(crate) alone: Load,
    pub(crate) during: Load,
    /// How many entries were removed, and how long that took.
    pub(crate) purged: usize,
    pub(crate) took: Duration,
}

/// Measures steps alone, and then while a fifth of the log, that is of no use any more, is removed.
pub(crate) async fn measure(store: &SharedStore, args: &Args) -> Result<Purge, BoxError> {
    let old = args.entries.div_ceil(5);
    fill_log(&**store, old, sample::now() - 2 * HOUR).await?;
    let clients = advancers(store, CLIENTS).await?;
    let (clients, _) = run_for(clients, WARM_UP).await?;
    let (clients, alone) = run_for(clients, args.measure_for).await?;
    let (during, (purged, took)) = advance_during_purge(store, clients).await?;
    if purged < old {
        return Err(format!("{purged} entries were purged, not {old}").into());
    }
    Ok(Purge { alone, during, purged, took })
}

async fn advance_during_purge(
    store: &SharedStore,
    clients: Vec<Advancer>,
) -> Result<(Load, (usize, Duration)), BoxError> {
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let purging = async {
        let purged = purge_log(store).await;
        // Also when it failed, or the clients would go on for ever.
        over.store(true, Ordering::SeqCst);
        purged
    };
    let working = run(clients, move |_| is_over.load(Ordering::SeqCst));
    let (purged, worked) = tokio::join!(purging, working);
    let (_, load) = worked?;
    Ok((load, purged?))
}

/// Removes a batch at a time, one after the other, as the follower does.
async fn purge_log(store: &SharedStore) -> Result<(usize, Duration), BoxError> {
    let started = Instant::now();
    let mut purged = 0;
    loop {
        let batch = store.purge_log(HOUR, BATCH_SIZE).await?;
        purged += batch;
        if batch < BATCH_SIZE {
            return Ok((purged, started.elapsed()));
        }
    }
}
