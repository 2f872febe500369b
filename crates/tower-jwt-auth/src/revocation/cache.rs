use std::hash::Hasher as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::sync::Cache;
use siphasher::sip128::{Hasher128, SipHasher13};
use tower_jwt_auth_core::{Clock, Revocation, RevocationKey, RevocationKind, Timestamp};

use crate::claims::MAX_LEEWAY;
use crate::error::ConfigError;
use crate::keys::crypto;
use crate::prehashed::Prehashed;
use crate::revision::Revision;
use crate::revocation::freshness::Freshness;
use crate::revocation::sweep_clock::SweepClock;
use crate::revocation::target_table::{TargetHash, TargetTable};

/// How long an entry is kept after the expiry of the last token that it concerns: the maximum leeway of a verifier,
/// and one minute for clocks that are set.
pub(super) const RETENTION: Duration = Duration::from_secs(MAX_LEEWAY.as_secs() + 60);

/// The margin for a [`SystemClock`](tower_jwt_auth_core::SystemClock) that runs slower than the monotonic clock, which
/// moka uses. It loses at most one part in 2000; entries of subjects are kept longer by one part in 1000.
const SLEW_DIVISOR: u32 = 1000;

/// The revocations in memory.
///
/// Entries leave it only when they expire: a cache that evicts would make a revoked token valid again. Once there are
/// `max_entries`, the further entries of the log are skipped, and the list is incomplete.
pub(super) struct RevocationCache {
    hash_key: [u8; 16],
    /// The revoked tokens and sessions.
    ids: TargetTable,
    subjects: Cache<TargetHash, SubjectEntry, Prehashed>,
    /// Locked while a subject is inserted and the revision is raised.
    subject_writer: Mutex<()>,
    /// Whether a subject has ever been inserted. Most services never revoke one, and skip that lookup.
    has_subjects: AtomicBool,
    /// Counts the changes by which a target may have become revoked.
    revision: Revision,
    max_entries: u64,
    is_incomplete: AtomicBool,
    freshness: Freshness,
    sweep_clock: SweepClock,
    clock: Arc<dyn Clock>,
}

/// The targets of the revocations that would revoke a token, prepared for lookups in one cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Targets {
    token: Option<TargetHash>,
    session: Option<TargetHash>,
    subject: Option<(TargetHash, Timestamp)>,
}

#[derive(Clone, Copy)]
pub(super) struct SubjectEntry {
    pub(super) issued_before: Timestamp,
    pub(super) until: Timestamp,
}

impl SubjectEntry {
    /// Returns whether another entry of the same subject changes nothing.
    fn includes(&self, other: Self) -> bool {
        self.issued_before >= other.issued_before && self.until >= other.until
    }
}

impl RevocationCache {
    pub(super) fn new(max_entries: u64, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let hash_key = *crypto::random().map_err(|_| ConfigError::Entropy)?;
        let expiry = ExpireAtUntil { clock: Arc::clone(&clock) };
        Ok(Self {
            hash_key,
            ids: TargetTable::new(),
            subjects: Cache::builder().expire_after(expiry).build_with_hasher(Prehashed),
            subject_writer: Mutex::new(()),
            has_subjects: AtomicBool::new(false),
            revision: Revision::default(),
            max_entries,
            is_incomplete: AtomicBool::new(false),
            freshness: Freshness::new(),
            sweep_clock: SweepClock::new(clock.now()),
            clock,
        })
    }

    /// Inserts a revocation. An existing entry of the same target is extended, never shortened. Returns `false` if the
    /// revocation has expired and was not inserted. An insert that changes nothing does not raise the revision.
    pub(super) fn insert(&self, revocation: &Revocation) -> bool {
        self.insert_at(revocation, self.clock.now())
    }

    fn insert_at(&self, revocation: &Revocation, now: Timestamp) -> bool {
        if is_expired(revocation, now) {
            return false;
        }
        let target = self.hash(revocation.target());
        match revocation {
            Revocation::Token { until, .. } | Revocation::Session { until, .. } => {
                self.ids.insert(target, *until, || self.raise_revision());
            }
            Revocation::Subject { issued_before, until, .. } => {
                let entry = SubjectEntry { issued_before: *issued_before, until: *until };
                self.insert_subject(target, entry);
            }
        }
        true
    }

    fn insert_subject(&self, target: TargetHash, new: SubjectEntry) {
        let _guard = self.subject_writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_subjects.store(true, Ordering::Release);
        if self.subjects.get(&target).is_some_and(|old| old.includes(new)) {
            return;
        }
        self.subjects.entry(target).and_upsert_with(|old| {
            let old = old.map_or(new, moka::Entry::into_value);
            SubjectEntry {
                issued_before: new.issued_before.max(old.issued_before),
                until: new.until.max(old.until),
            }
        });
        self.raise_revision();
    }

    /// Raises the revision after an insert: a reader that sees it finds the entry. The writers of a target are locked
    /// out until then. Otherwise one of them could find the entry, and acknowledge it, while a reader still trusts the
    /// lookup before it.
    fn raise_revision(&self) {
        self.revision.raise();
    }

    /// Inserts a revocation at this time unless the cache is full. Returns `false` if it was skipped for lack of room.
    /// An expired revocation needs no room.
    pub(super) fn insert_if_room(&self, revocation: &Revocation, now: Timestamp) -> bool {
        if is_expired(revocation, now) {
            return true;
        }
        let count = self.ids.len() + self.subjects.entry_count();
        let has_room = count < self.max_entries || self.has_target_of(revocation);
        if has_room {
            self.insert_at(revocation, now);
        }
        has_room
    }

    /// Returns whether the target has an entry, which the revocation would only extend.
    fn has_target_of(&self, revocation: &Revocation) -> bool {
        let target = self.hash(revocation.target());
        match revocation {
            Revocation::Token { .. } | Revocation::Session { .. } => self.ids.contains(target),
            Revocation::Subject { .. } => self.subjects.contains_key(&target),
        }
    }

    /// Returns the number of changes so far. While it does not change, a target that was not revoked is not revoked.
    ///
    /// Read it before the lookup whose result is kept.
    pub(super) fn revision(&self) -> u64 {
        self.revision.current()
    }

    /// Prepares the keys of a token. There is at most one of each kind.
    pub(super) fn targets<'k>(&self, keys: impl Iterator<Item = RevocationKey<'k>>) -> Targets {
        let mut targets = Targets { token: None, session: None, subject: None };
        for key in keys {
            let hash = self.hash(key.target());
            match key {
                RevocationKey::Token { .. } => targets.token = Some(hash),
                RevocationKey::Session { .. } => targets.session = Some(hash),
                RevocationKey::Subject { issued_at, .. } => {
                    targets.subject = Some((hash, issued_at));
                }
            }
        }
        targets
    }

    /// Returns whether one of the targets is revoked.
    pub(super) fn contains_any(&self, targets: &Targets) -> bool {
        let contains =
            |target: &Option<TargetHash>| target.is_some_and(|target| self.ids.contains(target));
        contains(&targets.token)
            || contains(&targets.session)
            || targets.subject.is_some_and(|(target, issued_at)| {
                self.has_subjects.load(Ordering::Acquire)
                    && self
                        .subjects
                        .get(&target)
                        .is_some_and(|subject| issued_at < subject.issued_before)
            })
    }

    /// Returns whether this key is revoked.
    pub(super) fn contains(&self, key: &RevocationKey<'_>) -> bool {
        self.contains_any(&self.targets([*key].into_iter()))
    }

    fn hash(&self, (kind, issuer, id): (RevocationKind, &str, &str)) -> TargetHash {
        let mut hasher = SipHasher13::new_with_key(&self.hash_key);
        hasher.write_u8(kind as u8);
        hasher.write_usize(issuer.len());
        hasher.write(issuer.as_bytes());
        hasher.write(id.as_bytes());
        hasher.finish128().as_u128()
    }

    /// Removes expired entries, some of them at a time.
    pub(super) fn run_maintenance(&self) {
        self.remove_expired(self.sweep_clock.bound(self.clock.now()));
        self.subjects.run_pending_tasks();
    }

    /// Removes revoked tokens and sessions that have expired at this time, in some of the shards.
    pub(super) fn remove_expired(&self, time: Timestamp) {
        self.ids.sweep(time - RETENTION);
    }

    pub(super) fn set_incomplete(&self, is_incomplete: bool) {
        self.is_incomplete.store(is_incomplete, Ordering::Release);
    }

    pub(super) fn is_complete(&self) -> bool {
        !self.is_incomplete.load(Ordering::Acquire)
    }

    /// Records that the cache contains all entries that the log contained at this time.
    pub(super) fn set_fresh_as_of(&self, instant: Instant, wall_time: Timestamp) {
        self.freshness.set(instant, wall_time);
    }

    /// Returns whether the cache contains all entries that the log contained at this instant.
    pub(super) fn is_fresh_as_of(&self, instant: Instant) -> bool {
        self.freshness.includes(instant)
    }

    pub(super) fn staleness(&self, now: Timestamp) -> Option<Duration> {
        self.freshness.age(now)
    }
}

/// Returns whether no verifier accepts the tokens that this concerns any longer.
fn is_expired(revocation: &Revocation, now: Timestamp) -> bool {
    revocation.until() + RETENTION <= now
}

/// Makes the entry of a subject expire [`RETENTION`] after its `until`. An update sets the deadline again, because moka
/// keeps the old one otherwise.
pub(super) struct ExpireAtUntil {
    pub(super) clock: Arc<dyn Clock>,
}

impl ExpireAtUntil {
    fn time_to_live(&self, until: Timestamp) -> Option<Duration> {
        let time_to_live = (until + RETENTION).since(self.clock.now());
        Some(time_to_live.saturating_add(time_to_live / SLEW_DIVISOR))
    }
}

impl Expiry<TargetHash, SubjectEntry> for ExpireAtUntil {
    fn expire_after_create(
        &self,
        _: &TargetHash,
        subject: &SubjectEntry,
        _: Instant,
    ) -> Option<Duration> {
        self.time_to_live(subject.until)
    }

    fn expire_after_update(
        &self,
        _: &TargetHash,
        subject: &SubjectEntry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.time_to_live(subject.until)
    }
}
