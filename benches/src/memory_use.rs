use std::sync::Arc;

use tower_jwt_auth::{MemoryStore, RevocationList};

use crate::fill::{ENTRY_LIFETIME, fill_log};
use crate::machine::resident;
use crate::{BoxError, sample};

/// Bytes for each of many revocations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryUse {
    /// In [`MemoryStore`].
    pub(crate) store: Bytes,
    /// In [`RevocationList`].
    pub(crate) list: Bytes,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes {
    /// What was asked of the allocator and not given back.
    pub(crate) allocated: u64,
    /// By how much the process grew (resident set); none where the system does not tell.
    pub(crate) resident: Option<u64>,
}

/// Fills a store, and then a list from it, on this one thread.
pub(crate) fn measure(entries: usize) -> Result<MemoryUse, BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = Arc::new(MemoryStore::new());
    let (_, of_store) = measured(entries, || {
        runtime.block_on(fill_log(&*store, entries, sample::now() + ENTRY_LIFETIME))
    })?;
    let (_list, of_list) = measured(entries, || {
        runtime.block_on(async {
            let list = RevocationList::follow(Arc::clone(&store))?;
            list.ready().await;
            Ok(list)
        })
    })?;
    Ok(MemoryUse { store: of_store, list: of_list })
}

/// What this keeps, for each entry.
fn measured<T>(
    entries: usize,
    work: impl FnOnce() -> Result<T, BoxError>,
) -> Result<(T, Bytes), BoxError> {
    let before = resident();
    let mut kept = None;
    let counted = allocation_counter::measure(|| kept = Some(work()));
    let kept = kept.ok_or("nothing was measured")??;
    let grown = before.zip(resident()).map(|(before, after)| after.saturating_sub(before));
    let each = |bytes: u64| bytes / entries as u64;
    let allocated = each(u64::try_from(counted.bytes_current).unwrap_or_default());
    Ok((kept, Bytes { allocated, resident: grown.map(each) }))
}
