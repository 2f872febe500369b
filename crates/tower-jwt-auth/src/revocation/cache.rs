use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::sync::Cache;
use siphasher::sip128::{Hasher128, SipHasher13};
use tower_jwt_auth_core::{Clock, Revocation, RevocationKey, RevocationKind, Timestamp};

use super::RETENTION;
use crate::error::ConfigError;
use crate::keys::crypto;

/// What has been revoked, in memory.
///
/// Nothing bounds the caches but time: a cache that evicts would let a revoked token live again. Over
/// `most` entries those that the follower reads are left out, and the list says that it is incomplete.
pub(super) struct RevocationCache {
    hash_key: [u8; 16],
    /// Tokens and sessions, until when they matter.
    names: Cache<Name, Timestamp, PrehashedState>,
    /// Subjects, with the time before which their tokens are revoked.
    subjects: Cache<Name, Subject, PrehashedState>,
    /// Whether there has ever been a subject; most services never revoke one.
    has_subjects: AtomicBool,
    most: u64,
    incomplete: AtomicBool,
    freshness: Freshness,
    clock: Arc<dyn Clock>,
}

/// A keyed hash of kind, issuer and name: of one size whatever the names, and nothing that a client can aim at.
type Name = u128;

#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub(super) issued_before: Timestamp,
    pub(super) until: Timestamp,
}

impl RevocationCache {
    pub(super) fn new(most: u64, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let hash_key = crypto::random().map_err(|_| ConfigError::Entropy)?;
        let expiry = || ExpireAtUntil { clock: Arc::clone(&clock) };
        Ok(Self {
            hash_key,
            names: Cache::builder().expire_after(expiry()).build_with_hasher(PrehashedState),
            subjects: Cache::builder().expire_after(expiry()).build_with_hasher(PrehashedState),
            has_subjects: AtomicBool::new(false),
            most,
            incomplete: AtomicBool::new(false),
            freshness: Freshness::new(),
            clock,
        })
    }

    /// Adds what the log has; an entry that is there already can only last longer by it. False when it concerns no
    /// token any more: then nothing is added.
    pub(super) fn insert(&self, revocation: &Revocation) -> bool {
        if self.is_over(revocation) {
            return false;
        }
        let name = self.name(revocation.target());
        let until = revocation.until();
        match revocation {
            Revocation::Token { .. } | Revocation::Session { .. } => {
                self.names
                    .entry(name)
                    .and_upsert_with(|old| old.map_or(until, |old| until.max(old.into_value())));
            }
            Revocation::Subject { issued_before, .. } => {
                self.has_subjects.store(true, Ordering::Release);
                let new = Subject { issued_before: *issued_before, until };
                self.subjects.entry(name).and_upsert_with(|old| {
                    let old = old.map_or(new, moka::Entry::into_value);
                    Subject {
                        issued_before: new.issued_before.max(old.issued_before),
                        until: new.until.max(old.until),
                    }
                });
            }
        }
        true
    }

    /// Whether no verifier takes a token that this concerns.
    fn is_over(&self, revocation: &Revocation) -> bool {
        revocation.until() + RETENTION <= self.clock.now()
    }

    /// Adds what the follower has read, unless there are too many; false when it was left out. What concerns no
    /// token any more is passed over.
    pub(super) fn insert_if_room(&self, revocation: &Revocation) -> bool {
        if self.is_over(revocation) {
            return true;
        }
        let count = self.names.entry_count() + self.subjects.entry_count();
        let has_room = count < self.most || self.has(revocation);
        if has_room {
            self.insert(revocation);
        }
        has_room
    }

    /// Whether there is an entry for this already, which another one only makes last longer.
    fn has(&self, revocation: &Revocation) -> bool {
        let name = self.name(revocation.target());
        match revocation {
            Revocation::Token { .. } | Revocation::Session { .. } => self.names.contains_key(&name),
            Revocation::Subject { .. } => self.subjects.contains_key(&name),
        }
    }

    pub(super) fn covers(&self, key: &RevocationKey<'_>) -> bool {
        match key {
            RevocationKey::Token { .. } | RevocationKey::Session { .. } => {
                self.names.contains_key(&self.name(key.target()))
            }
            RevocationKey::Subject { issued_at, .. } => {
                self.has_subjects.load(Ordering::Acquire)
                    && self
                        .subjects
                        .get(&self.name(key.target()))
                        .is_some_and(|subject| *issued_at < subject.issued_before)
            }
        }
    }

    fn name(&self, (kind, issuer, name): (RevocationKind, &str, &str)) -> Name {
        let mut hasher = SipHasher13::new_with_key(&self.hash_key);
        hasher.write_u8(kind as u8);
        hasher.write_usize(issuer.len());
        hasher.write(issuer.as_bytes());
        hasher.write(name.as_bytes());
        hasher.finish128().as_u128()
    }

    /// Lets the caches drop what has expired and count what is there.
    pub(super) fn run_maintenance(&self) {
        self.names.run_pending_tasks();
        self.subjects.run_pending_tasks();
    }

    pub(super) fn set_incomplete(&self, incomplete: bool) {
        self.incomplete.store(incomplete, Ordering::Release);
    }

    pub(super) fn is_complete(&self) -> bool {
        !self.incomplete.load(Ordering::Acquire)
    }

    /// Everything that was in the log at this moment is in the list.
    pub(super) fn fresh_as_of(&self, instant: Instant, wall: Timestamp) {
        self.freshness.set(instant, wall);
    }

    /// Whether everything that was in the log at this moment is in the list.
    pub(super) fn is_fresh_as_of(&self, instant: Instant) -> bool {
        self.freshness.is_as_of(instant)
    }

    pub(super) fn staleness(&self, now: Timestamp) -> Option<Duration> {
        self.freshness.age(now)
    }
}

/// A held [`SystemClock`](tower_jwt_auth_core::SystemClock) falls behind the monotonic clock, by which moka counts,
/// by one part in 2000; entries are kept longer by twice that.
const SLEW: u32 = 1000;

/// How long an entry lasts. Renewed on update: moka keeps the old deadline otherwise.
pub(super) struct ExpireAtUntil {
    pub(super) clock: Arc<dyn Clock>,
}

impl ExpireAtUntil {
    fn left(&self, until: Timestamp) -> Option<Duration> {
        let left = (until + RETENTION).since(self.clock.now());
        Some(left.saturating_add(left / SLEW))
    }
}

impl Expiry<Name, Timestamp> for ExpireAtUntil {
    fn expire_after_create(&self, _: &Name, until: &Timestamp, _: Instant) -> Option<Duration> {
        self.left(*until)
    }

    fn expire_after_update(
        &self,
        _: &Name,
        until: &Timestamp,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.left(*until)
    }
}

impl Expiry<Name, Subject> for ExpireAtUntil {
    fn expire_after_create(&self, _: &Name, subject: &Subject, _: Instant) -> Option<Duration> {
        self.left(subject.until)
    }

    fn expire_after_update(
        &self,
        _: &Name,
        subject: &Subject,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.left(subject.until)
    }
}

/// When the list was last known to be in step, by both clocks: the monotonic one stands still while the
/// machine sleeps, the wall clock can be set.
struct Freshness {
    base: Instant,
    /// Milliseconds after `base`, plus one; zero for never.
    monotonic: AtomicU64,
    wall: AtomicI64,
}

impl Freshness {
    fn new() -> Self {
        Self { base: Instant::now(), monotonic: AtomicU64::new(0), wall: AtomicI64::new(0) }
    }

    fn set(&self, instant: Instant, wall: Timestamp) {
        self.wall.store(wall.unix_millis(), Ordering::Relaxed);
        let millis = instant.saturating_duration_since(self.base).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX - 1);
        self.monotonic.store(millis + 1, Ordering::Release);
    }

    fn is_as_of(&self, instant: Instant) -> bool {
        let millis = instant.saturating_duration_since(self.base).as_millis();
        let fresh = self.monotonic.load(Ordering::Acquire).checked_sub(1);
        // Rounded down, as what it is compared with.
        fresh.is_some_and(|fresh| u128::from(fresh) > millis)
    }

    fn age(&self, now: Timestamp) -> Option<Duration> {
        let millis = self.monotonic.load(Ordering::Acquire).checked_sub(1)?;
        let monotonic = self.base.elapsed().saturating_sub(Duration::from_millis(millis));
        let wall = Timestamp::from_unix_millis(self.wall.load(Ordering::Relaxed));
        Some(monotonic.max(now.since(wall)))
    }
}

/// The keys are hashes already.
#[derive(Clone, Copy)]
struct PrehashedState;

impl BuildHasher for PrehashedState {
    type Hasher = PlainHasher;

    fn build_hasher(&self) -> PlainHasher {
        PlainHasher(0)
    }
}

struct PlainHasher(u64);

impl Hasher for PlainHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[allow(clippy::cast_possible_truncation)]
    fn write_u128(&mut self, name: u128) {
        self.0 = name as u64;
    }
}
