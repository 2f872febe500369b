use std::time::Duration;

use tower_jwt_auth::Timestamp;
use tower_jwt_auth::store::LogEntry;
use tower_jwt_auth::store::RevocationLog;

use crate::{BoxError, sample};

/// The number of entries in one call of the log.
pub(crate) const BATCH_SIZE: usize = 1000;
/// The lifetime of entries that must not expire during the measurement.
pub(crate) const ENTRY_LIFETIME: Duration = Duration::from_secs(6 * 3600);

/// Appends entries of ended sessions, in batches. Each entry expires at `until`.
pub(crate) async fn fill_log(
    log: &(impl RevocationLog + ?Sized),
    entries: usize,
    until: Timestamp,
) -> Result<(), BoxError> {
    let mut remaining = entries;
    while remaining > 0 {
        let size = remaining.min(BATCH_SIZE);
        let batch: Vec<LogEntry> =
            (0..size).map(|_| sample::log_entry(until)).collect::<Result<_, _>>()?;
        log.append(&batch).await?;
        remaining -= size;
    }
    Ok(())
}
