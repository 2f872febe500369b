use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval};
use tower_jwt_auth_core::{SessionStore, StoreError};

use crate::background::Background;

/// How often the store is looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// How many rows are removed at a time: while a store removes them, others may have to wait.
const BATCH: usize = 200;
/// How long a session must have been over, with its last access token, before it is removed.
const PURGE_AFTER: Duration = Duration::from_secs(3600);

/// The task that removes sessions that ended or expired long ago; it stops when this is dropped.
pub(super) struct SessionSweeper {
    _task: Background,
}

impl SessionSweeper {
    pub(super) fn start(runtime: &Handle, store: Arc<dyn SessionStore>) -> Self {
        let task = Background::start(runtime, "session sweeper", move || run(Arc::clone(&store)));
        Self { _task: task }
    }
}

async fn run(store: Arc<dyn SessionStore>) {
    let mut ticks = interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = sweep(&*store).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "sessions that are over could not be removed"
            );
        }
    }
}

/// Removes all that is long over, a batch at a time.
async fn sweep(store: &dyn SessionStore) -> Result<(), StoreError> {
    while store.purge_sessions(PURGE_AFTER, BATCH).await? == BATCH {
        yield_now().await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tower_jwt_auth_core::{ManualClock, MemoryStore, SessionLimit, Timestamp};

    use super::*;
    use crate::{Issuer, RefreshSecrets, RotationPolicy, Sessions, SignIn, SigningKey};

    #[tokio::test]
    async fn only_sessions_that_are_long_over_are_swept() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_700_000_000)));
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let key = SigningKey::generate().unwrap();
        let issuer = Issuer::new("i", "a", key).unwrap().with_clock(clock.clone());
        let idle = Duration::from_secs(1000);
        let sessions =
            Sessions::builder(issuer, RefreshSecrets::generate().unwrap(), store.clone())
                .rotation(RotationPolicy::default().with_idle(idle))
                .session_limit(SessionLimit::none())
                .sweep(false)
                .build()
                .unwrap();
        let mut ids = Vec::new();
        for _ in 0..BATCH + 1 {
            ids.push(sessions.start(SignIn::new("a")).await.unwrap().refresh().session_id());
        }
        clock.advance(idle + PURGE_AFTER);
        sweep(&*store).await.unwrap();
        assert!(store.load(ids[0]).await.unwrap().is_some());
        clock.advance(Duration::from_millis(1));
        sweep(&*store).await.unwrap();
        for id in ids {
            assert!(store.load(id).await.unwrap().is_none());
        }
    }
}
