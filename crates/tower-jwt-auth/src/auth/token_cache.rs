//! A bounded cache of verified tokens.

mod doorkeeper;

use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use quick_cache::unsync::Cache;
use quick_cache::{Equivalent, Lifecycle, OptionsBuilder, Weighter};
use siphasher::sip::SipHasher13;
use tower_jwt_auth_core::Timestamp;

use self::doorkeeper::Doorkeeper;
use crate::error::ConfigError;
use crate::identity::Identity;
use crate::prehashed::Prehashed;
use crate::revocation::PreparedKeys;
use crate::verifier::{Stamp, VerifiedToken};

/// The maximum number of tokens, unless set.
const DEFAULT_MAX_TOKENS: usize = 50_000;
/// The maximum size in bytes, unless set.
const DEFAULT_MAX_BYTES: usize = 96 * 1024 * 1024;
/// The minimum of the maximum size: one token of the maximum length fits.
const MIN_BYTES: usize = 256 * 1024;
/// The intended number of tokens in a shard. It bounds the time for which a shard is locked.
const TOKENS_PER_SHARD: usize = 512;
const MAX_SHARDS: usize = 4096;
/// The interval at which expired tokens are removed from a shard.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
/// The length in bytes of each of the two parts of a token that are hashed: its end, and the beginning of its second half.
/// The end is random with each algorithm but ML-DSA. With ML-DSA, the second half begins in the random part of the
/// signature.
const HASHED_LENGTH: usize = 16;

/// The tokens that have been verified, so that a repeated one is not verified again.
///
/// - A token is found by all of its bytes.
/// - Only a token that has been verified and is not revoked is inserted, together with the [`Stamp`] of its verification,
///   and only when it comes for the second time.
/// - A lookup judges the stamp, the expiry and the revocation at its own time. The cache decides nothing.
/// - Eviction is harmless: the token is verified again. The replacement is a variant of CLOCK-Pro, with a small queue for
///   newcomers, so that many tokens that come a few times do not evict those that are repeated.
pub(super) struct TokenCache {
    shards: Box<[RwLock<Shard>]>,
    doorkeeper: Doorkeeper,
    /// Has a random key.
    hasher: SipHasher13,
    max_tokens: usize,
    max_bytes: usize,
}

/// A token that has been verified.
pub(super) struct CachedToken {
    pub(super) identity: Identity,
    pub(super) stamp: Stamp,
    pub(super) revocation_keys: PreparedKeys,
}

/// The result of a lookup.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lookup<T> {
    /// The token is not in the cache.
    Absent,
    /// The token is in the cache, and its entry no longer holds.
    Outdated,
    /// The entry holds.
    Found(T),
}

struct Shard {
    tokens: Cache<TokenKey, CachedToken, ByWeight, Prehashed, CollectEvicted>,
    swept_at: Timestamp,
}

struct TokenKey {
    hash: u64,
    token: Box<[u8]>,
}

/// A token that is looked up.
struct TokenQuery<'t> {
    hash: u64,
    token: &'t [u8],
}

impl TokenCache {
    pub(super) fn new(max_tokens: usize, max_bytes: usize) -> Result<Self, ConfigError> {
        if !(100..=100_000_000).contains(&max_tokens) {
            let (what, hint) = ("maximum number of cached tokens", "give 100 to 100,000,000");
            return Err(ConfigError::Number { what, given: max_tokens, hint });
        }
        if max_bytes < MIN_BYTES {
            let (what, hint) = ("size of the token cache", "give at least 262,144 bytes");
            return Err(ConfigError::Number { what, given: max_bytes, hint });
        }
        Ok(Self::with_bounds(max_tokens, max_bytes))
    }

    pub(super) fn with_default_bounds() -> Self {
        Self::with_bounds(DEFAULT_MAX_TOKENS, DEFAULT_MAX_BYTES)
    }

    fn with_bounds(max_tokens: usize, max_bytes: usize) -> Self {
        // Not more than fit.
        let remembered = max_tokens.min(max_bytes / SLOT);
        // Each shard has room for the longest token.
        let shards = (max_tokens / TOKENS_PER_SHARD).min(max_bytes / MIN_BYTES).min(MAX_SHARDS);
        // Rounded down to a power of two, so that no shard has less room.
        let shards = 1 << shards.max(1).ilog2();
        let max_weight = max_bytes.saturating_sub(Doorkeeper::size(remembered)).max(MIN_BYTES / 2);
        // An entry weighs at least as much as the share of one token, so the weight bounds both.
        let weigher = ByWeight { min: max_weight.div_ceil(max_tokens) as u64 };
        let shard = || {
            let options = OptionsBuilder::new()
                .estimated_items_capacity(max_tokens / shards)
                // The doorkeeper remembers tokens instead.
                .ghost_allocation(0.0)
                .weight_capacity((max_weight / shards) as u64)
                .build();
            #[expect(
                clippy::expect_used,
                reason = "both options are set, which are all that it checks"
            )]
            let options = options.expect("the options are complete");
            let tokens = Cache::with_options(options, weigher, Prehashed, CollectEvicted);
            RwLock::new(Shard { tokens, swept_at: Timestamp::UNIX_EPOCH })
        };
        let shards = (0..shards).map(|_| shard()).collect();
        // Random numbers of the process, each time others. Not `crypto::random`, which may fail: the constructors of
        // layers do not.
        let key = || RandomState::new().hash_one(());
        let hasher = SipHasher13::new_with_keys(key(), key());
        let doorkeeper = Doorkeeper::new(remembered);
        Self { shards, doorkeeper, hasher, max_tokens, max_bytes }
    }

    /// Looks a token up, and calls `judge` with its entry. `judge` returns `None` for an entry that no longer holds.
    pub(super) fn lookup<T>(
        &self,
        token: &[u8],
        judge: impl FnOnce(&CachedToken) -> Option<T>,
    ) -> Lookup<T> {
        let query = self.query(token);
        let shard = self.shard(query.hash).read().unwrap_or_else(PoisonError::into_inner);
        match shard.tokens.get(&query).map(judge) {
            None => Lookup::Absent,
            Some(None) => Lookup::Outdated,
            Some(Some(found)) => Lookup::Found(found),
        }
    }

    /// Inserts a token that has been verified at the time `now`, if it comes for the second time or `is_known` to have
    /// been in the cache.
    pub(super) fn insert(
        &self,
        token: &str,
        verified: VerifiedToken,
        revocation_keys: PreparedKeys,
        is_known: bool,
        now: Timestamp,
    ) {
        let query = self.query(token.as_bytes());
        if !is_known && !self.doorkeeper.admits(query.hash) {
            return;
        }
        let key = TokenKey { hash: query.hash, token: query.token.into() };
        let VerifiedToken { identity, stamp } = verified;
        let value = CachedToken { identity, stamp, revocation_keys };
        let mut shard = self.shard(query.hash).write().unwrap_or_else(PoisonError::into_inner);
        if now.since(shard.swept_at) >= SWEEP_INTERVAL {
            shard.tokens.retain(|_, cached| !cached.stamp.is_expired(now));
            shard.swept_at = now;
        }
        // Dropping the application's claims may run its code. That happens without the lock, and not while the cache
        // changes its tables.
        let replaced = shard.tokens.remove(&query);
        let mut evicted = Evicted::default();
        shard.tokens.insert_with_lifecycle(key, value, &mut evicted);
        drop(shard);
        drop((replaced, evicted));
    }

    /// Removes a token that is no longer accepted.
    pub(super) fn remove(&self, token: &[u8]) {
        let query = self.query(token);
        let mut shard = self.shard(query.hash).write().unwrap_or_else(PoisonError::into_inner);
        let removed = shard.tokens.remove(&query);
        // As above.
        drop(shard);
        drop(removed);
    }

    fn query<'t>(&self, token: &'t [u8]) -> TokenQuery<'t> {
        let (half, end) = (token.len() / 2, token.len().saturating_sub(HASHED_LENGTH));
        let mut parts = [0; 2 * HASHED_LENGTH];
        for (part, start) in parts.chunks_exact_mut(HASHED_LENGTH).zip([half, end]) {
            let length = (token.len() - start).min(HASHED_LENGTH);
            part[..length].copy_from_slice(&token[start..start + length]);
        }
        TokenQuery { hash: self.hasher.hash(&parts), token }
    }

    fn shard(&self, hash: u64) -> &RwLock<Shard> {
        // The table of a shard uses the lower bits, and the upper seven.
        let index = (hash >> 32) as usize & (self.shards.len() - 1);
        &self.shards[index]
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache")
            .field("max_tokens", &self.max_tokens)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

impl PartialEq for TokenKey {
    fn eq(&self, other: &Self) -> bool {
        self.token == other.token
    }
}

impl Eq for TokenKey {}

impl Hash for TokenKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for TokenQuery<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<TokenKey> for TokenQuery<'_> {
    fn equivalent(&self, key: &TokenKey) -> bool {
        // The hashes first: the time of comparing texts would reveal how much of a token somebody has guessed.
        self.hash == key.hash && *self.token == *key.token
    }
}

/// Evicted entries: mostly one, which needs no allocation.
#[derive(Default)]
struct Evicted {
    first: Option<(TokenKey, CachedToken)>,
    others: Vec<(TokenKey, CachedToken)>,
}

/// Collects evicted entries, so that they are dropped later.
#[derive(Clone, Copy)]
struct CollectEvicted;

impl Lifecycle<TokenKey, CachedToken> for CollectEvicted {
    type RequestState = Evicted;

    fn on_evict(&self, evicted: &mut Self::RequestState, key: TokenKey, value: CachedToken) {
        match evicted.first {
            None => evicted.first = Some((key, value)),
            Some(_) => evicted.others.push((key, value)),
        }
    }
}

/// Weighs an entry by the bytes that it takes, and at least as the share of one token.
#[derive(Clone, Copy)]
struct ByWeight {
    min: u64,
}

/// The bytes of an entry in the tables of the cache: its slot with two links, its buckets, and as much again, because the
/// tables double when they grow.
const SLOT: usize = 2 * (size_of::<(TokenKey, CachedToken)>() + 32);

impl Weighter<TokenKey, CachedToken> for ByWeight {
    fn weight(&self, key: &TokenKey, cached: &CachedToken) -> u64 {
        // The heap of the application's claims is unknown. It counts as the first two segments, from which they come.
        let claims = key.token.iter().rposition(|byte| *byte == b'.').unwrap_or_default();
        let bytes = SLOT + key.token.len() + cached.identity.size() + claims;
        self.min.max(bytes as u64)
    }
}

#[cfg(test)]
mod tests;
