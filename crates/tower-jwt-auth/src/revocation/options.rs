use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth_core::{Clock, SystemClock};

use crate::error::ConfigError;

/// How a [`RevocationList`](super::RevocationList) follows the revocation log.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::revocation::{RevocationList, SyncOptions};
/// use tower_jwt_auth::store::MemoryStore;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = SyncOptions::default()
///     .with_heartbeat(Duration::from_secs(2))?
///     .with_max_entries(1_000_000);
/// let list = RevocationList::follow_with_options(MemoryStore::new(), options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SyncOptions {
    pub(super) heartbeat_interval: Duration,
    pub(super) full_resync_interval: Duration,
    pub(super) max_entries: u64,
    pub(super) purges_log: bool,
    pub(super) clock: Arc<dyn Clock>,
}

impl Default for SyncOptions {
    /// Returns options with a heartbeat every 5 seconds, a full resync every 5 minutes, at most 4 million entries, and
    /// the system's clock.
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(5),
            full_resync_interval: Duration::from_secs(300),
            max_entries: 4_000_000,
            purges_log: true,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

impl SyncOptions {
    /// Sets the interval at which a heartbeat is appended to the log and read back. The default is 5 seconds.
    ///
    /// The staleness of the list counts from the latest heartbeat that was read back. The interval must be a small part
    /// of the maximum staleness of a layer
    /// ([`JwtAuthLayer::with_max_staleness`](crate::JwtAuthLayer::with_max_staleness)).
    ///
    /// # Errors
    ///
    /// [`ConfigError::Duration`] if the interval is below 10 milliseconds or above one minute.
    pub fn with_heartbeat(mut self, interval: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_millis(10)..=Duration::from_secs(60)).contains(&interval) {
            let hint = "use 10 milliseconds to a minute";
            return Err(ConfigError::Duration {
                what: "heartbeat interval",
                given: interval,
                hint,
            });
        }
        self.heartbeat_interval = interval;
        Ok(self)
    }

    /// Sets the interval at which the whole log is read again, which repairs a list that lacks entries for any reason.
    /// The default is 5 minutes.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Duration`] if the interval is below 10 milliseconds or above one day.
    pub fn with_full_resync_interval(mut self, interval: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_millis(10)..=Duration::from_secs(24 * 3600)).contains(&interval) {
            let hint = "use 10 milliseconds to a day";
            return Err(ConfigError::Duration {
                what: "full resync interval",
                given: interval,
                hint,
            });
        }
        self.full_resync_interval = interval;
        Ok(self)
    }

    /// Sets the maximum number of entries. The default is 4 million. A revoked token or session takes about 33 bytes, and
    /// a subject about 370.
    ///
    /// A full list evicts nothing. It skips further entries of the log and
    /// [is incomplete](super::RevocationList::is_complete): tokens that it does not contain are then checked with the
    /// store, until a full resync finds room for all entries.
    pub fn with_max_entries(mut self, max: u64) -> Self {
        self.max_entries = max;
        self
    }

    /// Leaves expired entries in the log, for services that remove them in another way. By default each full resync
    /// removes them.
    pub fn without_log_purging(mut self) -> Self {
        self.purges_log = false;
        self
    }

    /// Sets another clock, for tests.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}
