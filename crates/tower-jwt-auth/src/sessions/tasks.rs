use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::background;
use crate::error::ConfigError;

/// Tasks that complete an operation although its caller leaves.
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

    /// Runs an operation in the caller's runtime, or in the one in which the sessions were built.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        operation: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let runtime = Handle::try_current().unwrap_or_else(|_| self.runtime.clone());
        self.running.spawn_on(operation.in_current_span(), &runtime)
    }

    /// Waits until no operation runs.
    pub(super) async fn completed(&self) {
        self.running.close();
        self.running.wait().await;
    }
}
