//! The number of tokens whose signatures a layer verifies at a time.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::Notify;

use crate::algorithm::{Algorithm, Family};
use crate::error::ConfigError;
use crate::keys::Admission;

/// The maximum number of requests that wait for a permit. A signature takes 15 to 70 µs with most algorithms, so that
/// these take some 10 ms on an idle machine.
const MAX_WAITING: usize = 256;

/// Limits how many signatures are verified at a time, so that a thread is free for tokens in the cache while a client
/// sends forged ones.
///
/// Signatures are verified on the threads of the runtime. A surplus waits without a thread, and beyond [`MAX_WAITING`] it
/// is rejected. A permit that is returned is free for anyone: one that was handed to a waiting request would lie idle
/// until the request's task runs. The signatures of HMAC, which take less than a microsecond, have no limit.
pub(super) struct VerificationLimit {
    max: usize,
    running: AtomicUsize,
    waiting: AtomicUsize,
    returned: Notify,
}

impl VerificationLimit {
    pub(super) fn new(max: usize) -> Result<Self, ConfigError> {
        if max == 0 {
            let (what, hint) = ("maximum number of concurrent verifications", "give at least 1");
            return Err(ConfigError::Number { what, given: max, hint });
        }
        Ok(Self::with_max(max))
    }

    /// Creates a limit of one less than the threads that the machine runs in parallel, and at least one.
    pub(super) fn of_this_machine() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self::with_max(threads.saturating_sub(1).max(1))
    }

    fn with_max(max: usize) -> Self {
        let (running, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { max, running, waiting, returned: Notify::new() }
    }

    /// Returns whether the queue has room for another request.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < MAX_WAITING
    }

    fn try_acquire(&self) -> Option<VerificationPermit<'_>> {
        let take = |running| (running < self.max).then_some(running + 1);
        self.running.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).ok()?;
        Some(VerificationPermit { limit: Some(self) })
    }

    /// Waits for a permit. Returns `None` at once if the queue is full.
    pub(super) async fn acquire(&self) -> Option<VerificationPermit<'_>> {
        let _waiter = Waiter::new(&self.waiting)?;
        loop {
            let mut returned = pin!(self.returned.notified());
            // In line before the attempt, so that a permit that is returned in between wakes it.
            returned.as_mut().enable();
            if let Some(permit) = self.try_acquire() {
                return Some(permit);
            }
            returned.await;
        }
    }
}

/// The right to verify the signatures of one token.
pub(super) struct VerificationPermit<'l> {
    /// `None` for an algorithm without a limit.
    limit: Option<&'l VerificationLimit>,
}

impl Drop for VerificationPermit<'_> {
    fn drop(&mut self) {
        if let Some(limit) = self.limit {
            limit.running.fetch_sub(1, Ordering::SeqCst);
            if limit.waiting.load(Ordering::SeqCst) > 0 {
                limit.returned.notify_one();
            }
        }
    }
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
            Family::Hmac => Some(VerificationPermit { limit: None }),
            _ => self.try_acquire(),
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
        (waiting.fetch_add(1, Ordering::SeqCst) < MAX_WAITING).then_some(waiter)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for VerificationLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationLimit").field("max", &self.max).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
    fn the_requests_that_wait_are_limited() {
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
        let permit = waiting.remove(0).now_or_never().unwrap().unwrap();
        assert!(waiting.remove(0).now_or_never().is_none(), "there is one permit");
        drop(permit);
        // The others leave, also the one that has been woken.
        drop(waiting);
        assert!(last.now_or_never().unwrap().is_some());
    }

    /// Handed to a request whose task does not run, it would stop all verifications.
    #[test]
    fn a_permit_that_was_returned_is_free_for_anyone() {
        let limit = VerificationLimit::new(1).unwrap();
        let permit = limit.admit(Algorithm::ES256).unwrap();
        let mut waiting = Box::pin(limit.acquire());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(permit);
        let permit = limit.admit(Algorithm::ES256);
        assert!(permit.is_some());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(permit);
        assert!(waiting.now_or_never().is_some());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn everyone_gets_a_permit_in_the_end() {
        let limit = Arc::new(VerificationLimit::new(1).unwrap());
        let verify = |limit: Arc<VerificationLimit>| async move {
            for _ in 0..20 {
                let permit = limit.acquire().await.expect("the queue has room");
                assert_eq!(limit.running.load(Ordering::SeqCst), 1);
                drop(permit);
                tokio::task::yield_now().await;
            }
        };
        let tasks: Vec<_> =
            (0..MAX_WAITING).map(|_| tokio::spawn(verify(Arc::clone(&limit)))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(limit.waiting.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn the_limit_is_at_least_one() {
        assert!(VerificationLimit::new(0).is_err());
        assert!(VerificationLimit::of_this_machine().admit(Algorithm::ES256).is_some());
    }
}
