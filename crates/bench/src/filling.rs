use std::time::Duration;

use tower_jwt_auth::store::LogEntry;
use tower_jwt_auth::{RevocationLog, Timestamp};

use crate::{Failure, sample};

/// How many entries are written at a time.
pub(crate) const BATCH: usize = 1000;
/// How long entries matter that matter for as long as is measured.
pub(crate) const LASTING: Duration = Duration::from_secs(6 * 3600);

/// Writes so many entries of ended sessions into the log.
pub(crate) async fn fill(
    log: &(impl RevocationLog + ?Sized),
    entries: usize,
    until: Timestamp,
) -> Result<(), Failure> {
    let mut left = entries;
    while left > 0 {
        let now = left.min(BATCH);
        let batch: Vec<LogEntry> =
            (0..now).map(|_| sample::entry(until)).collect::<Result<_, _>>()?;
        log.append(&batch).await?;
        left -= now;
    }
    Ok(())
}
