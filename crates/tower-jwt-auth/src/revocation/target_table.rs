use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tower_jwt_auth_core::Timestamp;

/// A keyed hash of the kind, the issuer and the id of a target. Its size does not depend on them, and a client cannot
/// choose ids whose hashes collide.
pub(super) type TargetHash = u128;

/// The logarithm of the number of shards. A writer that grows or sweeps one holds up the writers of that one only.
const SHARD_BITS: u32 = 8;
/// The number of shards that one call of [`TargetTable::sweep`] visits: a few milliseconds for a million entries.
const SHARDS_PER_SWEEP: usize = 32;
/// The time between two sweeps of a shard in seconds. It bounds the cost, because each sweep copies the shard.
const SWEEP_INTERVAL: u32 = 60;
/// The minimum number of entries for which a shard has room when it grows.
const MIN_SPARE: usize = 4;
/// The `until` of an entry that is never swept.
const NEVER_EXPIRES: u32 = u32::MAX;

/// A set of targets, each with the time until which it is needed. Only [`sweep`](Self::sweep) removes entries.
///
/// Readers take no lock: they neither wait for writers nor for each other. Writers lock one shard. An entry takes 25
/// to 31 bytes.
pub(super) struct TargetTable {
    shards: Box<[Shard]>,
    len: AtomicU64,
    /// The shard with which the next sweep begins.
    next_shard: AtomicUsize,
}

struct Shard {
    /// Replaced when it is full or swept. Entries do not move within it.
    slots: ArcSwap<Slots>,
    writer: Mutex<Writer>,
}

/// The state of a shard that only its writers use.
struct Writer {
    len: usize,
    /// No entry of the shard has an earlier `until`.
    earliest_until: u32,
    /// The time before which the shard is not swept.
    next_sweep: u32,
}

impl TargetTable {
    pub(super) fn new() -> Self {
        let shard = || Shard {
            slots: ArcSwap::from_pointee(Slots::new(0)),
            writer: Mutex::new(Writer { len: 0, earliest_until: NEVER_EXPIRES, next_sweep: 0 }),
        };
        Self {
            shards: (0..1 << SHARD_BITS).map(|_| shard()).collect(),
            len: AtomicU64::new(0),
            next_shard: AtomicUsize::new(0),
        }
    }

    /// Returns the number of entries.
    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// Inserts a target or extends its entry, which is never shortened. The `until` is rounded up to a second.
    ///
    /// Calls `changed` after a change that readers can see, and before another writer can find the target.
    pub(super) fn insert(&self, target: TargetHash, until: Timestamp, changed: impl FnOnce()) {
        let (target, until) = (Halves::from(target), to_seconds(until));
        let shard = self.shard(target);
        let mut writer = shard.lock();
        let slots = shard.slots.load();
        match slots.find(target) {
            Ok(slot) if slots.until(slot) >= until => return,
            Ok(slot) => slots.extend(slot, until),
            Err(_) => {
                writer.len += 1;
                writer.earliest_until = writer.earliest_until.min(until);
                if slots.has_room_for(writer.len) {
                    slots.insert(target, until);
                } else {
                    let larger = Slots::new(writer.len);
                    larger.copy_from(&slots, |_| true);
                    larger.insert(target, until);
                    shard.slots.store(Arc::new(larger));
                }
                self.len.fetch_add(1, Ordering::Relaxed);
            }
        }
        changed();
    }

    pub(super) fn contains(&self, target: TargetHash) -> bool {
        let target = Halves::from(target);
        self.shard(target).slots.load().find(target).is_ok()
    }

    /// Removes entries whose `until` is not after `time`, in the shards that are next in turn.
    pub(super) fn sweep(&self, time: Timestamp) {
        // Rounded down, and never the `until` of an entry that stays.
        let Ok(time) = u32::try_from(time.unix_seconds().min(i64::from(NEVER_EXPIRES - 1))) else {
            return;
        };
        let first = self.next_shard.fetch_add(SHARDS_PER_SWEEP, Ordering::Relaxed);
        for offset in 0..SHARDS_PER_SWEEP {
            let number = first.wrapping_add(offset) % self.shards.len();
            if let Some(shard) = self.shards.get(number) {
                let removed = shard.sweep(time);
                self.len.fetch_sub(removed as u64, Ordering::Relaxed);
            }
        }
    }

    fn shard(&self, target: Halves) -> &Shard {
        &self.shards[(target.high >> (u64::BITS - SHARD_BITS)) as usize]
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the entries whose `until` is not after `time`. Returns how many there were.
    fn sweep(&self, time: u32) -> usize {
        let mut writer = self.lock();
        if writer.earliest_until > time || writer.next_sweep > time {
            return 0;
        }
        let slots = self.slots.load();
        let (mut len, mut earliest_until) = (0, NEVER_EXPIRES);
        for (_, until) in slots.entries().filter(|(_, until)| *until > time) {
            len += 1;
            earliest_until = earliest_until.min(until);
        }
        let removed = writer.len - len;
        if removed > 0 {
            let smaller = Slots::new(len);
            smaller.copy_from(&slots, |until| until > time);
            self.slots.store(Arc::new(smaller));
        }
        *writer = Writer { len, earliest_until, next_sweep: time.saturating_add(SWEEP_INTERVAL) };
        removed
    }
}

/// Converts a time to seconds since 1970, rounded up. A time after 2106 becomes [`NEVER_EXPIRES`].
fn to_seconds(until: Timestamp) -> u32 {
    let millis = until.unix_millis().max(0);
    let seconds = millis / 1000 + i64::from(millis % 1000 > 0);
    u32::try_from(seconds).unwrap_or(NEVER_EXPIRES)
}

/// A target in two halves. The low half is not zero, which stands for an empty slot.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Halves {
    low: u64,
    high: u64,
}

impl From<TargetHash> for Halves {
    #[expect(clippy::cast_possible_truncation, reason = "half of a hash, or a number that fits")]
    fn from(target: TargetHash) -> Self {
        Self { low: (target as u64).max(1), high: (target >> 64) as u64 }
    }
}

/// The entries of a shard: open addressing with linear probing. At least a fifth of the slots is empty, or there are no
/// slots.
///
/// One writer at a time inserts. It writes the low half last, so that a reader who sees it also sees the high half.
struct Slots {
    low: Box<[AtomicU64]>,
    high: Box<[AtomicU64]>,
    until: Box<[AtomicU32]>,
}

impl Slots {
    /// Creates empty slots with room for `len` entries and a quarter more, or no slots if `len` is 0.
    fn new(len: usize) -> Self {
        let count = if len == 0 { 0 } else { slots_for(len + (len / 4).max(MIN_SPARE)) };
        Self {
            low: (0..count).map(|_| AtomicU64::new(0)).collect(),
            high: (0..count).map(|_| AtomicU64::new(0)).collect(),
            until: (0..count).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    fn has_room_for(&self, len: usize) -> bool {
        slots_for(len) <= self.low.len()
    }

    /// Returns the slot of the target, or the empty slot in which it belongs. The slot is out of range if there are no
    /// slots.
    fn find(&self, target: Halves) -> Result<usize, usize> {
        let count = self.low.len();
        if count == 0 {
            return Err(0);
        }
        let mut slot = first_slot(target, count);
        loop {
            match self.low[slot].load(Ordering::Acquire) {
                0 => return Err(slot),
                low if low == target.low
                    && self.high[slot].load(Ordering::Relaxed) == target.high =>
                {
                    return Ok(slot);
                }
                _ => slot = if slot + 1 == count { 0 } else { slot + 1 },
            }
        }
    }

    fn until(&self, slot: usize) -> u32 {
        self.until[slot].load(Ordering::Relaxed)
    }

    fn extend(&self, slot: usize, until: u32) {
        self.until[slot].store(until, Ordering::Relaxed);
    }

    /// Inserts a target that is not in the slots, which have room for it.
    fn insert(&self, target: Halves, until: u32) {
        let (Ok(slot) | Err(slot)) = self.find(target);
        self.high[slot].store(target.high, Ordering::Relaxed);
        self.until[slot].store(until, Ordering::Relaxed);
        self.low[slot].store(target.low, Ordering::Release);
    }

    /// Inserts the entries of other slots whose `until` is to be kept.
    fn copy_from(&self, other: &Self, keeps: impl Fn(u32) -> bool) {
        for (target, until) in other.entries().filter(|(_, until)| keeps(*until)) {
            self.insert(target, until);
        }
    }

    /// Returns all entries. Only for the writer.
    fn entries(&self) -> impl Iterator<Item = (Halves, u32)> {
        let halves = self.low.iter().zip(&self.high).zip(&self.until);
        halves.filter_map(|((low, high), until)| {
            let low = low.load(Ordering::Relaxed);
            let target = Halves { low, high: high.load(Ordering::Relaxed) };
            (low != 0).then(|| (target, until.load(Ordering::Relaxed)))
        })
    }
}

/// Returns how many slots this number of entries needs: four fifths are filled at most.
fn slots_for(len: usize) -> usize {
    len + len.div_ceil(4)
}

/// Returns the slot where the search for a target begins. Targets are hashes, so their beginnings are evenly spread.
#[expect(clippy::cast_possible_truncation, reason = "half of a hash, or a number that fits")]
fn first_slot(target: Halves, count: usize) -> usize {
    ((u128::from(target.low) * count as u128) >> u64::BITS) as usize
}
