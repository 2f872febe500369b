use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most requests to refresh, and the most to log out, that are worked on at a time; 503 beyond.
const MAX_IN_FLIGHT: usize = 4096;

/// The kind of work that takes a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Refresh,
    Logout,
}

/// The places of requests that are worked on. Those whose client has left count, too: no limit around the
/// service sees them.
///
/// Logouts have places of their own: whoever fills those of refreshes keeps nobody from logging out.
#[derive(Clone)]
pub(super) struct InFlightLimits {
    refreshes: Arc<Semaphore>,
    logouts: Arc<Semaphore>,
}

impl InFlightLimits {
    pub(super) fn new() -> Self {
        let places = || Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        Self { refreshes: places(), logouts: places() }
    }

    /// A place; none when there are too many requests of the kind.
    pub(super) fn take(&self, work: Work) -> Option<OwnedSemaphorePermit> {
        let places = match work {
            Work::Refresh => &self.refreshes,
            Work::Logout => &self.logouts,
        };
        Arc::clone(places).try_acquire_owned().ok()
    }
}
