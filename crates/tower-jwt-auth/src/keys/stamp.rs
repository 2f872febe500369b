use std::fmt;
use std::sync::Arc;

use tower_jwt_auth_core::{Clock, Timestamp};

use crate::revision::Revision;

/// The keys that have verified a token: their revision, and until when they are accepted.
#[derive(Clone)]
pub(crate) struct KeyStamp {
    /// `None` for keys that do not change.
    revision: Option<(Revision, u64)>,
    /// The last time at which the key is accepted.
    valid_until: Timestamp,
    /// The clock of the keys, if they have one of their own.
    clock: Option<Arc<dyn Clock>>,
}

impl KeyStamp {
    /// The stamp of keys that do not change.
    pub(super) const FIXED: Self =
        Self { revision: None, valid_until: Timestamp::MAX, clock: None };

    /// Creates the stamp of keys that were read after this revision was.
    pub(super) fn new(revision: &Revision, seen: u64, valid_until: Timestamp) -> Self {
        Self { revision: Some((revision.clone(), seen)), valid_until, clock: None }
    }

    /// Sets the clock by which the keys expire.
    #[cfg(feature = "jwks")]
    pub(super) fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Returns whether the keys would verify the token at this time as well.
    pub(crate) fn is_current(&self, now: Timestamp) -> bool {
        let now = self.clock.as_ref().map_or(now, Clock::now);
        now <= self.valid_until
            && self.revision.as_ref().is_none_or(|(current, seen)| current.current() == *seen)
    }
}

impl fmt::Debug for KeyStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStamp")
            .field("revision", &self.revision)
            .field("valid_until", &self.valid_until)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_stamp_holds_until_the_keys_change_or_expire() {
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        assert!(KeyStamp::FIXED.is_current(Timestamp::MAX));
        let revision = Revision::default();
        let stamp = KeyStamp::new(&revision, revision.current(), now);
        assert!(stamp.is_current(now));
        assert!(!stamp.is_current(now + Duration::from_millis(1)));
        revision.raise();
        assert!(!stamp.is_current(now));
        assert!(KeyStamp::new(&revision, revision.current(), now).is_current(now));
    }
}
