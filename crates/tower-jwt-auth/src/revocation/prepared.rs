use std::sync::atomic::{AtomicU64, Ordering};

use crate::revocation::cache::{RevocationCache, Targets};

/// The initial value of [`PreparedKeys::not_revoked_at`], which no revision reaches.
const NO_REVISION: u64 = u64::MAX;

/// The keys of a token, prepared for repeated lookups in the list that returned them.
#[derive(Debug)]
pub(crate) struct PreparedKeys {
    /// `None` for a list without a log.
    targets: Option<Targets>,
    /// The revision of the list at which it contained none of them.
    not_revoked_at: AtomicU64,
}

impl PreparedKeys {
    pub(super) fn new(targets: Option<Targets>) -> Self {
        Self { targets, not_revoked_at: AtomicU64::new(NO_REVISION) }
    }

    /// Returns whether the cache contains one of the keys. Skips the lookup if nothing has been added to the cache since
    /// one found none of them.
    pub(super) fn are_revoked(&self, cache: &RevocationCache) -> bool {
        // The keys were prepared by a list without a log, and not by this one.
        let Some(targets) = &self.targets else { return true };
        // Before the lookup: an entry that arrives in between raises the revision after it.
        let revision = cache.revision();
        if self.not_revoked_at.load(Ordering::Relaxed) == revision {
            return false;
        }
        let is_revoked = cache.contains_any(targets);
        if !is_revoked {
            self.not_revoked_at.store(revision, Ordering::Relaxed);
        }
        is_revoked
    }
}
