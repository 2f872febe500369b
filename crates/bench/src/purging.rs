use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::advancing::{Advancer, advancers};
use crate::args::Args;
use crate::engine::SharedStore;
use crate::filling::{BATCH, fill};
use crate::load::{Load, run, run_for};
use crate::{Failure, sample};

const CLIENTS: usize = 8;
/// How many clients' steps are not measured at first.
const WARM_UP: Duration = Duration::from_millis(300);
const HOUR: Duration = Duration::from_secs(3600);

/// How long a step of a session takes, with and without old entries being removed from the log meanwhile.
#[derive(Debug)]
pub(crate) struct Purging {
    pub(crate) without: Load,
    pub(crate) meanwhile: Load,
    /// How many entries were removed, and how long that took.
    pub(crate) purged: usize,
    pub(crate) took: Duration,
}

/// Measures steps alone, and then while a fifth of the log, that is of no use any more, is removed.
pub(crate) async fn measure(store: &SharedStore, args: &Args) -> Result<Purging, Failure> {
    let old = args.entries.div_ceil(5);
    fill(&**store, old, sample::now() - 2 * HOUR).await?;
    let clients = advancers(store, CLIENTS).await?;
    let (clients, _) = run_for(clients, WARM_UP).await?;
    let (clients, without) = run_for(clients, args.time).await?;
    let (meanwhile, (purged, took)) = while_purging(store, clients).await?;
    if purged < old {
        return Err(format!("{purged} entries were purged, not {old}").into());
    }
    Ok(Purging { without, meanwhile, purged, took })
}

async fn while_purging(
    store: &SharedStore,
    clients: Vec<Advancer>,
) -> Result<(Load, (usize, Duration)), Failure> {
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let purging = async {
        let purged = purge(store).await;
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
async fn purge(store: &SharedStore) -> Result<(usize, Duration), Failure> {
    let started = Instant::now();
    let mut purged = 0;
    loop {
        let batch = store.purge_log(HOUR, BATCH).await?;
        purged += batch;
        if batch < BATCH {
            return Ok((purged, started.elapsed()));
        }
    }
}
