use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval};
use tower_jwt_auth_core::{SessionStore, StoreError};

use crate::background::Background;
use crate::store_guard::GuardedStore;

/// The interval between two sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// The maximum number of sessions that one call removes. Other calls may have to wait while a store removes sessions.
const BATCH_SIZE: usize = 200;
/// How long ago a session and its last access token must have expired before the session is removed.
const PURGE_AFTER: Duration = Duration::from_secs(3600);

/// The task that removes sessions that ended or expired long ago. It ends when this is dropped.
pub(super) struct SessionSweeper {
    _task: Background,
}

impl SessionSweeper {
    pub(super) fn start(runtime: &Handle, store: Arc<GuardedStore<dyn SessionStore>>) -> Self {
        let task = Background::start(runtime, "session sweeper", move || run(Arc::clone(&store)));
        Self { _task: task }
    }
}

async fn run(store: Arc<GuardedStore<dyn SessionStore>>) {
    let mut ticks = interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = sweep(&*store).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "expired sessions cannot be removed"
            );
        }
    }
}

/// Removes the sessions that ended or expired long ago, in batches.
async fn sweep(store: &GuardedStore<dyn SessionStore>) -> Result<(), StoreError> {
    while store.purge_sessions(PURGE_AFTER, BATCH_SIZE).await? == BATCH_SIZE {
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
    async fn only_sessions_that_expired_long_ago_are_swept() {
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
        for _ in 0..BATCH_SIZE + 1 {
            ids.push(sessions.start(SignIn::new("a")).await.unwrap().refresh().session_id());
        }
        clock.advance(idle + PURGE_AFTER);
        let guarded: Arc<GuardedStore<dyn SessionStore>> =
            Arc::new(GuardedStore::new(store.clone()));
        sweep(&guarded).await.unwrap();
        assert!(store.load(ids[0]).await.unwrap().is_some());
        clock.advance(Duration::from_millis(1));
        sweep(&guarded).await.unwrap();
        for id in ids {
            assert!(store.load(id).await.unwrap().is_none());
        }
    }
}
