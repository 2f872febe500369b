//! Background tasks.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::error::ConfigError;

/// The pause before a task that panicked is restarted.
const RESTART_BACKOFF: Duration = Duration::from_secs(1);

/// A task that is aborted when this is dropped.
#[derive(Debug)]
pub(crate) struct Background(
    #[expect(dead_code, reason = "held for its drop")] AbortOnDropHandle<()>,
);

impl Background {
    /// Starts the task that `new_task` returns. Starts another one if it panics, as the code of a store may.
    pub(crate) fn start<F>(
        runtime: &Handle,
        name: &'static str,
        new_task: impl Fn() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = runtime.spawn(async move {
            // Aborts its task when it is dropped.
            let mut running = JoinSet::new();
            loop {
                running.spawn(new_task());
                running.join_next().await;
                tracing::error!(name, "a background task panicked and is restarted");
                sleep(RESTART_BACKOFF).await;
            }
        });
        Self(AbortOnDropHandle::new(task))
    }
}

/// Returns the current runtime.
pub(crate) fn runtime() -> Result<Handle, ConfigError> {
    Handle::try_current().map_err(|_| ConfigError::NoRuntime)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_restarted_and_ends_when_dropped() {
        let started = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&started);
        let task = Background::start(&runtime().unwrap(), "test", move || {
            let count = Arc::clone(&count);
            async move {
                count.fetch_add(1, Ordering::SeqCst);
                assert!(count.load(Ordering::SeqCst) > 2, "a panic of the test");
                std::future::pending().await
            }
        });
        sleep(Duration::from_secs(10)).await;
        assert_eq!(started.load(Ordering::SeqCst), 3);
        drop(task);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(Arc::strong_count(&started), 1);
    }
}
