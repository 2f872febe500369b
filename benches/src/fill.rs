use std::time::Duration;

use tower_jwt_auth::store::LogEntry;
use tower_jwt_auth::{RevocationLog, Timestamp};

use crate::{BoxError, sample};

/// How many entries are written at a time.
pub(crate) const BATCH_SIZE: usize = 1000;
/// How long entries matter that matter for as long as is measured.
pub(crate) const ENTRY_LIFETIME: Duration = Duration::from_secs(6 * 3600);

/// Writes so many entries of ended sessions into the log.
pub(crate) async fn fill_log(
    log: &(impl RevocationLog + ?Sized),
    entries: usize,
    until: Timestamp,
) -> Result<(), BoxError> {
    let mut left = entries;
    while left > 0 {
        let now = left.min(BATCH_SIZE);
        let batch: Vec<LogEntry> =
            (0..now).map(|_| sample::log_entry(until)).collect::<Result<_, _>>()?;
        log.append(&batch).await?;
        left -= now;
    }
    Ok(())
}
