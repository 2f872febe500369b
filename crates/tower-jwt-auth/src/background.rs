//! Tasks that run beside the requests.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::error::ConfigError;

/// A task that is aborted when this is dropped.
#[derive(Debug)]
pub(crate) struct Background(
    #[expect(dead_code, reason = "held for its drop")] AbortOnDropHandle<()>,
);

impl Background {
    /// Runs what `make` makes, and runs it anew should it ever panic, as a store's code may.
    pub(crate) fn start<F>(
        runtime: &Handle,
        name: &'static str,
        make: impl Fn() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = runtime.spawn(async move {
            // Aborts what it holds when it is dropped itself.
            let mut running = JoinSet::new();
            loop {
                running.spawn(make());
                running.join_next().await;
                tracing::error!(name, "a background task panicked and is started anew");
                sleep(Duration::from_secs(1)).await;
            }
        });
        Self(AbortOnDropHandle::new(task))
    }
}

/// The runtime that this is called in.
pub(crate) fn runtime() -> Result<Handle, ConfigError> {
    Handle::try_current().map_err(|_| ConfigError::NoRuntime)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_started_anew_and_ends_when_dropped() {
        let started = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&started);
        let task = Background::start(&runtime().unwrap(), "test", move || {
            let count = Arc::clone(&count);
            async move {
                count.fetch_add(1, Ordering::SeqCst);
                assert!(count.load(Ordering::SeqCst) > 2, "a panic of the test's own");
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
