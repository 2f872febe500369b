use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tower_jwt_auth_core::{Clock, Timestamp};

/// Counts the changes of the keys of a source.
///
/// A reader loads the count before it reads the keys, and a writer raises it after it has stored others. A count that
/// has not changed therefore proves that the keys have not.
#[derive(Clone, Debug, Default)]
pub(super) struct Generation(Arc<AtomicU64>);

impl Generation {
    pub(super) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn advance(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// The keys that have verified a token: their generation, and until when they are accepted.
#[derive(Clone)]
pub(crate) struct KeyStamp {
    /// `None` for keys that do not change.
    generation: Option<(Generation, u64)>,
    /// The last time at which the key is accepted.
    valid_until: Timestamp,
    /// The clock of the keys, if they have one of their own.
    clock: Option<Arc<dyn Clock>>,
}

impl KeyStamp {
    /// The stamp of keys that do not change.
    pub(super) const FIXED: Self =
        Self { generation: None, valid_until: Timestamp::MAX, clock: None };

    /// Creates the stamp of keys that were read after this generation was.
    pub(super) fn new(generation: &Generation, seen: u64, valid_until: Timestamp) -> Self {
        Self { generation: Some((generation.clone(), seen)), valid_until, clock: None }
    }

    /// Sets the clock by which the keys expire.
    #[cfg(feature = "jwks")]
    pub(super) fn by_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Returns whether the keys would verify the token at this time as well.
    pub(crate) fn is_current(&self, now: Timestamp) -> bool {
        let now = self.clock.as_ref().map_or(now, Clock::now);
        now <= self.valid_until
            && self.generation.as_ref().is_none_or(|(current, seen)| current.current() == *seen)
    }
}

impl fmt::Debug for KeyStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStamp")
            .field("generation", &self.generation)
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
        let generation = Generation::default();
        let stamp = KeyStamp::new(&generation, generation.current(), now);
        assert!(stamp.is_current(now));
        assert!(!stamp.is_current(now + Duration::from_millis(1)));
        generation.advance();
        assert!(!stamp.is_current(now));
        assert!(KeyStamp::new(&generation, generation.current(), now).is_current(now));
    }
}
