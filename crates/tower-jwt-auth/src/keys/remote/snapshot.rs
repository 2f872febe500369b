use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;
use tower_jwt_auth_core::{Clock, Timestamp};

use crate::keys::set::KeySet;
use crate::keys::stamp::KeyStamp;
use crate::revision::Revision;

/// The result of the latest fetch that returned a JWK set.
#[derive(Debug)]
pub(super) struct Published {
    /// The number of the fetch, or zero before the first set.
    pub(super) number: u64,
    pub(super) keys: Result<KeySet, UnavailableReason>,
    /// When the set was requested.
    pub(super) fetched_at: Timestamp,
}

/// The keys at an instant, or the reason why they are unavailable. It should not be held across an `await`.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) published: Guard<Arc<Published>>,
    /// The revision of the keys, which was read before them.
    pub(super) revision: (Revision, u64),
    /// Whether the keys are older than the maximum age.
    pub(super) is_expired: bool,
    /// The last time at which they are not, by the clock of the set.
    pub(super) valid_until: Timestamp,
    /// The time until the next scheduled fetch, where there are no keys.
    pub(super) retry_after: Duration,
}

/// Why no token of the issuer can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable {
    pub(crate) reason: UnavailableReason,
    /// The time until the next scheduled fetch.
    pub(crate) retry_after: Duration,
}

/// The cause of missing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnavailableReason {
    /// No fetch has brought keys yet.
    Pending,
    /// The latest set has no usable key: the issuer has withdrawn its keys.
    Empty,
    /// The keys are older than the maximum age.
    Expired,
}

impl Snapshot {
    /// Returns the keys.
    pub(crate) fn keys(&self) -> Result<&KeySet, Unavailable> {
        let reason = match &self.published.keys {
            Ok(keys) if !self.is_expired => return Ok(keys),
            Ok(_) => UnavailableReason::Expired,
            Err(reason) => *reason,
        };
        Err(Unavailable { reason, retry_after: self.retry_after })
    }

    /// Returns the number of the fetch that brought the set. A later set has a higher one.
    pub(crate) fn fetch_number(&self) -> u64 {
        self.published.number
    }

    /// Returns the stamp of a token that these keys verify, by the clock of the set.
    pub(crate) fn stamp(&self, clock: Arc<dyn Clock>) -> KeyStamp {
        let (revision, seen) = &self.revision;
        KeyStamp::new(revision, *seen, self.valid_until).with_clock(clock)
    }
}
