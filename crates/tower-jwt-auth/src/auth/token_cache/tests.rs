//! The cache alone: keys, bounds and replacement.

use super::*;
use crate::algorithm::Algorithm;
use crate::issuer::{self, Issuer};
use crate::keys::{SigningKey, Unlimited};
use crate::revocation::RevocationList;
use crate::verifier::Verifier;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
const LIFETIME: Duration = Duration::from_secs(300);

/// Makes entries. The text of a token in the cache does not matter here.
struct Entries {
    verifier: Verifier,
    token: String,
}

impl Entries {
    fn new() -> Self {
        let secret = b"a secret of a test, which is 32.";
        let key = SigningKey::from_secret(Algorithm::HS256, secret).unwrap();
        let (iat, exp) = (NOW.unix_seconds(), (NOW + LIFETIME).unix_seconds());
        let claims = format!(
            r#"{{"iss":"i","sub":"alice","aud":"a","client_id":"a","jti":"t","sid":"s","iat":{iat},"exp":{exp}}}"#
        );
        let token = issuer::sign(&key, "at+jwt", claims.as_bytes()).unwrap();
        let issuer = Issuer::new("i", "a", key).unwrap();
        Self { verifier: Verifier::new(&issuer), token }
    }

    fn entry(&self) -> VerifiedToken {
        self.verifier.verify_with_present_keys(&self.token, Unlimited, NOW).unwrap()
    }

    fn insert(&self, cache: &TokenCache, token: &str, now: Timestamp) {
        let keys = RevocationList::none().prepare(std::iter::empty());
        cache.insert(token, self.entry(), keys, true, now);
    }
}

fn contains(cache: &TokenCache, token: &str) -> bool {
    cache.lookup(token.as_bytes(), |_| Some(())) == Lookup::Found(())
}

fn len(cache: &TokenCache) -> usize {
    cache.shards.iter().map(|shard| shard.read().unwrap().tokens.len()).sum()
}

fn weight(cache: &TokenCache) -> u64 {
    cache.shards.iter().map(|shard| shard.read().unwrap().tokens.weight()).sum()
}

#[test]
fn a_token_with_the_same_end_is_another_token() {
    let (entries, cache) = (Entries::new(), TokenCache::with_default_bounds());
    let end = "x".repeat(HASHED_LENGTH);
    entries.insert(&cache, &format!("one.{end}"), NOW);
    assert!(contains(&cache, &format!("one.{end}")));
    for other in [format!("two.{end}"), format!("ne.{end}"), end, String::new()] {
        assert_eq!(cache.query(other.as_bytes()).token, other.as_bytes());
        assert!(!contains(&cache, &other), "{other}");
    }
}

#[test]
fn each_cache_has_its_own_hash() {
    let hash = |cache: &TokenCache| cache.query(b"a.b.c").hash;
    let (one, other) = (TokenCache::with_default_bounds(), TokenCache::with_default_bounds());
    assert_eq!(hash(&one), hash(&one));
    assert_ne!(hash(&one), hash(&other));
}

#[test]
fn an_entry_that_does_not_hold_is_outdated_and_can_be_removed() {
    let (entries, cache) = (Entries::new(), TokenCache::with_default_bounds());
    entries.insert(&cache, "a.b.c", NOW);
    assert_eq!(cache.lookup(b"a.b.c", |_| None::<()>), Lookup::Outdated);
    assert!(contains(&cache, "a.b.c"));
    cache.remove(b"a.b.c");
    assert_eq!(cache.lookup(b"a.b.c", |_| Some(())), Lookup::Absent);
    cache.remove(b"a.b.c");
}

#[test]
fn the_number_and_the_size_of_the_tokens_are_bounded() {
    let entries = Entries::new();
    // The tokens bound the first, and the bytes the second.
    for (max_tokens, max_bytes) in [(2000, 64 << 20), (1_000_000, 1 << 20)] {
        let cache = TokenCache::new(max_tokens, max_bytes).unwrap();
        for n in 0..5000 {
            entries.insert(&cache, &format!("{n:-<500}{n:->60}"), NOW);
            assert!(weight(&cache) <= max_bytes as u64);
        }
        assert!(len(&cache) <= max_tokens, "{}", len(&cache));
        let bytes = 5000.min(max_tokens).min(max_bytes / 2500);
        assert!(len(&cache) > bytes / 2, "{} tokens are too few", len(&cache));
    }
}

#[test]
fn a_token_that_does_not_fit_is_not_kept() {
    let (entries, cache) = (Entries::new(), TokenCache::new(100, MIN_BYTES).unwrap());
    let (longest, longer) = ("x".repeat(64 * 1024), "x".repeat(MIN_BYTES));
    entries.insert(&cache, &longest, NOW);
    assert!(contains(&cache, &longest));
    entries.insert(&cache, &longer, NOW);
    assert!(!contains(&cache, &longer) && contains(&cache, &longest));
}

#[test]
fn a_token_is_inserted_when_it_comes_again() {
    let (entries, cache) = (Entries::new(), TokenCache::with_default_bounds());
    let insert = |is_known| {
        let keys = RevocationList::none().prepare(std::iter::empty());
        cache.insert("a.b.c", entries.entry(), keys, is_known, NOW);
        contains(&cache, "a.b.c")
    };
    assert!(!insert(false));
    assert!(insert(false));
    cache.remove(b"a.b.c");
    assert!(!insert(false));
    cache.remove(b"a.b.c");
    assert!(insert(true), "it was in the cache");
}

#[test]
fn tokens_that_come_twice_do_not_evict_those_that_are_repeated() {
    let (entries, cache) = (Entries::new(), TokenCache::new(1000, 64 << 20).unwrap());
    let hot: Vec<_> = (0..500).map(|n| format!("hot.{n:-^40}")).collect();
    for token in &hot {
        entries.insert(&cache, token, NOW);
    }
    let mut misses = 0;
    for n in 0..20_000 {
        entries.insert(&cache, &format!("once.{n:-^40}"), NOW);
        // A hot token is repeated after 500 others, which are as many as there is room for.
        let token = &hot[n % hot.len()];
        if !contains(&cache, token) {
            misses += 1;
            entries.insert(&cache, token, NOW);
        }
    }
    assert!(misses <= 200, "{misses} of 20,000 repeated tokens were evicted");
    assert!(len(&cache) <= 1000);
}

#[test]
fn expired_tokens_are_removed_at_an_insert() {
    // One shard.
    let (entries, cache) = (Entries::new(), TokenCache::new(500, 64 << 20).unwrap());
    assert_eq!(cache.shards.len(), 1);
    for n in 0..100 {
        entries.insert(&cache, &format!("{n:->60}"), NOW);
    }
    let expiry = NOW + LIFETIME + Duration::from_secs(5);
    entries.insert(&cache, "before", expiry - Duration::from_millis(1));
    assert_eq!(len(&cache), 101);
    entries.insert(&cache, "after", expiry + SWEEP_INTERVAL);
    assert_eq!(len(&cache), 1, "the last one is inserted after the sweep");
}

#[test]
fn debug_shows_no_token() {
    let (entries, cache) = (Entries::new(), TokenCache::with_default_bounds());
    entries.insert(&cache, "secret.token.text", NOW);
    assert_eq!(format!("{cache:?}"), "TokenCache { max_tokens: 50000, max_bytes: 100663296, .. }");
}

#[test]
fn tokens_of_each_algorithm_have_different_hashes() {
    let cache = TokenCache::with_default_bounds();
    for algorithm in [Algorithm::MlDsa44, Algorithm::ES256, Algorithm::EdDSA] {
        let key = SigningKey::generate_for(algorithm).unwrap();
        let mut hashes = std::collections::HashSet::new();
        for n in 0..300 {
            let token = issuer::sign(&key, "at+jwt", format!(r#"{{"jti":{n}}}"#).as_bytes());
            hashes.insert(cache.query(token.unwrap().as_bytes()).hash);
        }
        assert_eq!(hashes.len(), 300, "{algorithm}");
    }
}

/// Claims of an application whose destructor panics now and then.
#[derive(serde::Deserialize)]
struct Fragile {}

thread_local! {
    static PANICS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(!PANICS.take(), "a destructor of the application");
    }
}

#[test]
fn a_panic_of_the_application_does_not_break_the_cache() {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    let entries = Entries::new();
    let verifier: Verifier<Fragile> = entries.verifier.clone().with_claims();
    let cache = TokenCache::new(100, MIN_BYTES).unwrap();
    let mut panics = 0;
    for n in 0..5000_u64 {
        // Some of them are repeated, so that both queues of the cache evict.
        let token = format!("{:-^40}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40 & 0xff);
        let verified = verifier.verify_with_present_keys(&entries.token, Unlimited, NOW).unwrap();
        let keys = RevocationList::none().prepare(std::iter::empty());
        PANICS.set(n % 10 == 0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..3 {
                contains(&cache, &token);
            }
            cache.insert(&token, verified, keys, true, NOW);
        }));
        PANICS.set(false);
        if let Err(panic) = result {
            panics += 1;
            let text = panic.downcast_ref::<&str>();
            assert_eq!(text, Some(&"a destructor of the application"), "{n}");
        }
        assert!(contains(&cache, &token) || cache.shards.len() == 1);
    }
    assert!(panics > 100, "{panics}");
}
