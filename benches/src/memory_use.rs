use std::sync::Arc;

use tower_jwt_auth::{MemoryStore, RevocationList};

use crate::fill::{ENTRY_LIFETIME, fill_log};
use crate::machine::resident_bytes;
use crate::{BoxError, sample};

/// The memory that a revoked session takes in a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryUse {
    /// In [`MemoryStore`].
    pub(crate) store: BytesPerEntry,
    /// In [`RevocationList`].
    pub(crate) list: BytesPerEntry,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct BytesPerEntry {
    /// Bytes that were allocated and not freed.
    pub(crate) allocated: u64,
    /// Growth of the resident set. `None` if the system does not report it.
    pub(crate) resident: Option<u64>,
}

/// Fills a store, and then a list from it, on the current thread: only its allocations are counted.
pub(crate) fn measure(entries: usize) -> Result<MemoryUse, BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = Arc::new(MemoryStore::new());
    let until = sample::now() + ENTRY_LIFETIME;
    let ((), store_bytes) =
        measure_bytes(entries, || runtime.block_on(fill_log(&*store, entries, until)))?;
    let (_list, list_bytes) = measure_bytes(entries, || {
        runtime.block_on(async {
            let list = RevocationList::follow(Arc::clone(&store))?;
            list.ready().await;
            Ok(list)
        })
    })?;
    Ok(MemoryUse { store: store_bytes, list: list_bytes })
}

/// Returns the output of the work, and the bytes per entry that the work leaves in use.
fn measure_bytes<T>(
    entries: usize,
    work: impl FnOnce() -> Result<T, BoxError>,
) -> Result<(T, BytesPerEntry), BoxError> {
    let before = resident_bytes();
    let mut output = None;
    let allocations = allocation_counter::measure(|| output = Some(work()));
    let output = output.ok_or("nothing was measured")??;
    let grown = before.zip(resident_bytes()).map(|(before, after)| after.saturating_sub(before));
    let per_entry = |bytes: u64| bytes / entries as u64;
    let allocated = per_entry(u64::try_from(allocations.bytes_current).unwrap_or_default());
    Ok((output, BytesPerEntry { allocated, resident: grown.map(per_entry) }))
}
