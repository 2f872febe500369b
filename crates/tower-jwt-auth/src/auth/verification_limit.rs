//! The number of tokens whose signatures a layer verifies at a time.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::algorithm::{Algorithm, Family};
use crate::error::ConfigError;
use crate::keys::Admission;

/// The maximum number of requests that wait for a permit. A signature takes 15 to 70 µs with most algorithms, so the
/// last one waits for some 10 ms.
const MAX_WAITING: usize = 256;

/// Limits how many signatures are verified at a time, so that a thread is free for tokens in the cache while a client
/// sends forged ones.
///
/// Signatures are verified on the threads of the runtime. A surplus waits without a thread, in the order of arrival, and
/// beyond [`MAX_WAITING`] it is rejected. The signatures of HMAC, which take less than a microsecond, have no limit.
pub(super) struct VerificationLimit {
    permits: Semaphore,
    waiting: AtomicUsize,
}

impl VerificationLimit {
    pub(super) fn new(max: usize) -> Result<Self, ConfigError> {
        if !(1..=Semaphore::MAX_PERMITS).contains(&max) {
            let (what, hint) = ("maximum number of concurrent verifications", "give at least 1");
            return Err(ConfigError::Number { what, given: max, hint });
        }
        Ok(Self::with_permits(max))
    }

    /// Creates a limit of one less than the threads that the machine runs in parallel, and at least one.
    pub(super) fn of_this_machine() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self::with_permits(threads.saturating_sub(1).max(1))
    }

    fn with_permits(permits: usize) -> Self {
        Self { permits: Semaphore::new(permits), waiting: AtomicUsize::new(0) }
    }

    /// Returns whether the queue has room for another request.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < MAX_WAITING
    }

    /// Waits for a permit. Returns `None` at once if the queue is full.
    pub(super) async fn acquire(&self) -> Option<VerificationPermit<'_>> {
        let waiter = Waiter::new(&self.waiting)?;
        // The semaphore is not closed.
        let permit = self.permits.acquire().await.ok();
        drop(waiter);
        permit.map(|permit| VerificationPermit { _permit: Some(permit) })
    }
}

/// The right to verify the signatures of one token.
pub(super) struct VerificationPermit<'l> {
    /// `None` for an algorithm without a limit.
    _permit: Option<SemaphorePermit<'l>>,
}

/// A permit that a request has waited for admits its verification.
impl Admission for VerificationPermit<'_> {
    type Permit = Self;

    fn admit(self, _: Algorithm) -> Option<Self> {
        Some(self)
    }
}

impl<'l> Admission for &'l VerificationLimit {
    type Permit = VerificationPermit<'l>;

    fn admit(self, algorithm: Algorithm) -> Option<Self::Permit> {
        match algorithm.family() {
            Family::Hmac => Some(VerificationPermit { _permit: None }),
            _ => self
                .permits
                .try_acquire()
                .ok()
                .map(|permit| VerificationPermit { _permit: Some(permit) }),
        }
    }
}

/// A request that waits. Its place in the queue is given back on drop, also if the client leaves.
struct Waiter<'l> {
    waiting: &'l AtomicUsize,
}

impl<'l> Waiter<'l> {
    fn new(waiting: &'l AtomicUsize) -> Option<Self> {
        let waiter = Self { waiting };
        (waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(waiter)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for VerificationLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationLimit")
            .field("permits", &self.permits.available_permits())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_permit_is_returned_after_use() {
        let limit = VerificationLimit::new(2).unwrap();
        let (first, second) = (limit.admit(Algorithm::ES256), limit.admit(Algorithm::RS256));
        assert!(first.is_some() && second.is_some());
        assert!(limit.admit(Algorithm::EdDSA).is_none());
        assert!(limit.admit(Algorithm::HS256).is_some(), "HMAC has no limit");
        drop(first);
        assert!(limit.admit(Algorithm::EdDSA).is_some());
    }

    #[test]
    fn the_requests_that_wait_are_limited_and_served_in_order() {
        let limit = VerificationLimit::new(1).unwrap();
        let permit = limit.admit(Algorithm::ES256).unwrap();
        assert!(limit.has_room());
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(limit.acquire())).collect();
        for place in &mut waiting {
            assert!(place.now_or_never().is_none());
        }
        assert!(!limit.has_room());
        assert!(limit.acquire().now_or_never().unwrap().is_none(), "there is no place");
        drop(waiting.remove(7));
        let mut last = Box::pin(limit.acquire());
        assert!(last.as_mut().now_or_never().is_none(), "a client that left gave its place back");
        drop(permit);
        assert!(limit.admit(Algorithm::ES256).is_none(), "the first that waits is next");
        let permit = waiting.remove(0).now_or_never().unwrap().unwrap();
        assert!(last.as_mut().now_or_never().is_none());
        drop((permit, waiting));
        assert!(last.now_or_never().unwrap().is_some());
    }

    #[test]
    fn the_limit_is_at_least_one() {
        assert!(VerificationLimit::new(0).is_err());
        assert!(VerificationLimit::of_this_machine().admit(Algorithm::ES256).is_some());
    }
}
