use std::sync::atomic::{AtomicU32, Ordering};

/// The hashes of tokens in a bucket. They are in one cache line.
const BUCKET: usize = 8;

/// Remembers the hashes of tokens that have come once, and admits a token to the cache when it comes again. So a token
/// that is used once costs neither a copy nor the place of another, however many there are.
///
/// Its size is fixed. It may forget a hash, or take one for another: a token is then admitted later or earlier.
pub(super) struct Doorkeeper {
    /// Zero is an empty place.
    buckets: Box<[[AtomicU32; BUCKET]]>,
}

impl Doorkeeper {
    /// Creates a doorkeeper for about as many hashes as the cache has tokens.
    pub(super) fn new(max_tokens: usize) -> Self {
        let buckets = (max_tokens / BUCKET).next_power_of_two();
        Self { buckets: (0..buckets).map(|_| Default::default()).collect() }
    }

    /// The number of bytes that a doorkeeper for this many tokens takes.
    pub(super) fn size(max_tokens: usize) -> usize {
        (max_tokens / BUCKET).next_power_of_two() * size_of::<[AtomicU32; BUCKET]>()
    }

    /// Returns whether this hash has come before. Otherwise remembers it.
    #[expect(clippy::cast_possible_truncation, reason = "half of a hash, or a number that fits")]
    pub(super) fn admits(&self, hash: u64) -> bool {
        let bucket = &self.buckets[(hash >> 32) as usize & (self.buckets.len() - 1)];
        let tag = (hash as u32).max(1);
        let find = |tag| bucket.iter().find(|place| place.load(Ordering::Relaxed) == tag);
        if let Some(place) = find(tag) {
            place.store(0, Ordering::Relaxed);
            return true;
        }
        // By the hash, so that tokens that come in turns do not displace each other forever.
        let place = find(0).unwrap_or(&bucket[tag as usize % BUCKET]);
        place.store(tag, Ordering::Relaxed);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spreads numbers over all bits.
    fn hash(n: u64) -> u64 {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    #[test]
    fn a_hash_is_admitted_when_it_comes_again() {
        let doorkeeper = Doorkeeper::new(1000);
        assert!(!doorkeeper.admits(hash(1)));
        assert!(!doorkeeper.admits(hash(2)));
        assert!(doorkeeper.admits(hash(1)));
        assert!(!doorkeeper.admits(hash(1)), "its place was given to others");
        assert!(doorkeeper.admits(hash(2)));
        assert!(!doorkeeper.admits(0));
        assert!(doorkeeper.admits(0));
    }

    #[test]
    fn hashes_that_come_in_turns_are_admitted_soon() {
        let doorkeeper = Doorkeeper::new(1000);
        let mut waiting: Vec<u64> = (0..1000).collect();
        for _ in 0..4 {
            waiting.retain(|n| !doorkeeper.admits(hash(*n)));
        }
        assert!(waiting.len() < 20, "{} of 1,000", waiting.len());
    }

    #[test]
    fn hashes_that_come_once_are_not_admitted() {
        let doorkeeper = Doorkeeper::new(1000);
        let admitted = (0..1_000_000).filter(|n| doorkeeper.admits(hash(*n))).count();
        assert_eq!(admitted, 0);
        assert_eq!(size_of_val(&*doorkeeper.buckets), Doorkeeper::size(1000));
    }
}
