use std::time::Duration;

use tokio::time::timeout;
use tower_jwt_auth::RevocationList;
use tower_jwt_auth::revocation::SyncOptions;

use crate::engine::{Engine, SharedStore};
use crate::fill::{ENTRY_LIFETIME, fill_log};
use crate::timing::timed;
use crate::{BoxError, sample};

/// The time within which a new node must have read the log.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(600);

/// The cost of a long revocation log.
#[derive(Debug)]
pub(crate) struct Log {
    /// The time to append all entries.
    pub(crate) fill: Duration,
    /// Bytes per entry in the engine. `None` for memory: [`memory_use`](crate::memory_use) measures it.
    pub(crate) bytes_per_entry: Option<u64>,
    /// The time until a new node has read the log.
    pub(crate) catch_up: Duration,
}

/// Fills the log and lets a new node read it.
pub(crate) async fn measure(
    engine: &Engine,
    store: &SharedStore,
    entries: usize,
) -> Result<Log, BoxError> {
    let before = engine.log_size().await?;
    let until = sample::now() + ENTRY_LIFETIME;
    let ((), fill) = timed(fill_log(&**store, entries, until)).await?;
    let after = engine.log_size().await?;
    let grown = before.zip(after).map(|(before, after)| after.saturating_sub(before));
    let bytes_per_entry = grown.map(|grown| grown / entries as u64);

    let (_list, catch_up) = timed(follow(store)).await?;
    Ok(Log { fill, bytes_per_entry, catch_up })
}

/// Starts a new node that follows the log, and waits until it has read the whole log.
pub(crate) async fn follow(store: &SharedStore) -> Result<RevocationList, BoxError> {
    // A purge by this list could still run during the next measurement.
    let options = SyncOptions::default().without_log_purging();
    let list = RevocationList::follow_with_options(store.clone(), options)?;
    timeout(CATCH_UP_TIMEOUT, list.ready()).await?;
    Ok(list)
}
