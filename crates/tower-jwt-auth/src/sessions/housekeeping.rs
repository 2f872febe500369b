use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};
use tower_jwt_auth_core::{Clock, SessionStore, StoreError};

use crate::error::ConfigError;
use crate::revocation::KEEP;

/// How often the store is looked through.
const EVERY: Duration = Duration::from_secs(60);
/// How many rows are removed at a time.
const BATCH: usize = 1000;
/// How long something must have been of no use to anyone before it is removed: generous, since the clocks of
/// nodes may be wrong.
const AGE: Duration = Duration::from_secs(3600 + KEEP.as_secs());

/// The task that removes what is long over; it ends with the last clone.
#[derive(Clone)]
pub(super) struct Housekeeping {
    _task: Option<Arc<Task>>,
}

struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Housekeeping {
    pub(super) fn none() -> Self {
        Self { _task: None }
    }

    pub(super) fn start(
        store: Arc<dyn SessionStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| ConfigError::NoRuntime)?;
        let task = runtime.spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if let Err(error) = sweep(&*store, &*clock).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "what is over could not be removed from the store"
                    );
                }
            }
        });
        Ok(Self { _task: Some(Arc::new(Task(task.abort_handle()))) })
    }
}

/// Removes all that is long over, a batch at a time.
async fn sweep(store: &dyn SessionStore, clock: &dyn Clock) -> Result<(), StoreError> {
    let before = clock.now() - AGE;
    while store.purge_sessions(before, BATCH).await? == BATCH {}
    while store.purge_log(before, BATCH).await? == BATCH {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use tower_jwt_auth_core::{
        LogEntry, LogPage, ManualClock, MemoryStore, Revocation, RevocationLog, Timestamp,
    };

    use super::*;

    #[tokio::test]
    async fn only_what_is_long_over_is_swept() {
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let clock = ManualClock::at(now);
        let store = MemoryStore::new();
        let entry = |age: Duration| {
            let until = now - age;
            LogEntry::Revocation(Revocation::Token { issuer: "i".into(), jti: "j".into(), until })
        };
        let second = Duration::from_secs(1);
        let old: Vec<_> = (0..2 * BATCH).map(|_| entry(AGE + second)).collect();
        store.append(&old).await.unwrap();
        store.append(&[entry(AGE), entry(KEEP), entry(Duration::ZERO)]).await.unwrap();
        sweep(&store, &clock).await.unwrap();
        let LogPage::Entries { entries, .. } = store.read(None, 10).await.unwrap() else {
            panic!("the log is there")
        };
        assert_eq!(entries.len(), 3);
    }
}
