use std::time::{Duration, Instant};

use tokio::time::timeout;
use tower_jwt_auth::{RevocationList, SyncOptions};

use crate::engine::{Engine, SharedStore};
use crate::fill::{ENTRY_LIFETIME, fill_log};
use crate::{BoxError, sample};

/// How long a list may take to catch up.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(600);

/// What a long log costs.
#[derive(Debug)]
pub(crate) struct Log {
    /// How long it took to write.
    pub(crate) fill: Duration,
    /// Bytes that the engine needs for an entry; none in memory, which is measured apart.
    pub(crate) bytes: Option<u64>,
    /// How long a new node reads until it is ready.
    pub(crate) catch_up: Duration,
}

/// Fills the log, and lets a new node read it.
pub(crate) async fn measure(
    engine: &Engine,
    store: &SharedStore,
    entries: usize,
) -> Result<Log, BoxError> {
    let before = engine.log_size().await?;
    let started = Instant::now();
    fill_log(&**store, entries, sample::now() + ENTRY_LIFETIME).await?;
    let fill = started.elapsed();
    let after = engine.log_size().await?;
    let grown = before.zip(after).map(|(before, after)| after.saturating_sub(before));
    let bytes = grown.map(|grown| grown / entries as u64);

    let started = Instant::now();
    // A purge of its own could still be on its way when the next thing is measured.
    let policy = SyncOptions::default().without_log_purging();
    let list = RevocationList::follow_with_options(store.clone(), policy)?;
    timeout(CATCH_UP_TIMEOUT, list.ready()).await?;
    Ok(Log { fill, bytes, catch_up: started.elapsed() })
}
