//! A count of changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the changes of data.
///
/// A reader loads the count before it reads the data, and a writer raises it after it has stored others. A count that has
/// not changed therefore proves that the data have not. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Revision(Arc<AtomicU64>);

impl Revision {
    /// Returns the present count. Call it before the data are read.
    pub(crate) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Raises the count. Call it after the data have changed.
    pub(crate) fn raise(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}
