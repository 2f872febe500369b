use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::background;
use crate::error::ConfigError;

/// The tasks of operations that complete even if their caller leaves.
#[derive(Debug)]
pub(super) struct Tasks {
    runtime: Handle,
    running: TaskTracker,
}

impl Tasks {
    pub(super) fn new() -> Result<Self, ConfigError> {
        Ok(Self { runtime: background::runtime()?, running: TaskTracker::new() })
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Runs an operation in the runtime of the caller, or else in the runtime in which the sessions were built.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        operation: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let runtime = Handle::try_current().unwrap_or_else(|_| self.runtime.clone());
        self.running.spawn_on(operation.in_current_span(), &runtime)
    }

    /// Waits until all operations are complete.
    pub(super) async fn completed(&self) {
        self.running.close();
        self.running.wait().await;
    }
}
