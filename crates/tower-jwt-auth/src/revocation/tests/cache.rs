//! The cache alone.

use moka::Expiry as _;
use tower_jwt_auth_core::ManualClock;

use super::super::cache::{ExpireAtUntil, SubjectEntry};
use super::*;
use crate::claims;

fn cache(max_entries: u64) -> (RevocationCache, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    (RevocationCache::new(max_entries, clock.clone()).unwrap(), clock)
}

/// Runs the maintenance often enough for all parts of the cache to have their turn.
/// Removes expired entries in all shards.
fn remove_expired(cache: &RevocationCache, now: Timestamp) {
    for _ in 0..8 {
        cache.remove_expired(now);
    }
}

fn run_all_maintenance(cache: &RevocationCache) {
    for _ in 0..8 {
        cache.run_maintenance();
    }
}

#[test]
fn no_entry_is_evicted_beyond_the_maximum() {
    let (cache, _) = cache(10);
    let ids: Vec<_> = (0..20_000).map(|n| format!("token-{n}")).collect();
    for id in &ids {
        cache.insert(&token(id, NOW + MINUTE));
    }
    cache.run_maintenance();
    assert!(ids.iter().all(|id| cache.contains(&key(id))));
}

#[test]
fn ids_of_different_kinds_and_issuers_are_distinct() {
    let (cache, _) = cache(10);
    cache.insert(&token("x", NOW + MINUTE));
    assert!(cache.contains(&key("x")));
    assert!(!cache.contains(&key("y")));
    assert!(!cache.contains(&RevocationKey::Token { issuer: "ix", jti: "" }));
    assert!(!cache.contains(&RevocationKey::Token { issuer: "", jti: "ix" }));
    assert!(!cache.contains(&RevocationKey::Token { issuer: "j", jti: "x" }));
    assert!(!cache.contains(&RevocationKey::Session { issuer: "i", sid: "x" }));
}

#[test]
fn an_entry_is_kept_beyond_the_last_token_by_leeway_and_margin() {
    assert_eq!(RETENTION, Duration::from_secs(5 * 60 + 60), "the maximum leeway and a minute");
    let (cache, clock) = cache(10);
    let expiry = ExpireAtUntil { clock: clock.clone() };
    let subject = SubjectEntry { issued_before: NOW, until: NOW };
    let time_to_live =
        || expiry.expire_after_create(&0, &subject, std::time::Instant::now()).unwrap();
    cache.insert(&token("kept", NOW));
    clock.set(NOW + RETENTION - Duration::from_millis(1));
    remove_expired(&cache, clock.now());
    assert!(cache.contains(&key("kept")));
    assert!(time_to_live() >= Duration::from_millis(1));
    clock.set(NOW + RETENTION);
    remove_expired(&cache, clock.now());
    assert!(!cache.contains(&key("kept")));
    assert_eq!(time_to_live(), Duration::ZERO);
    cache.insert(&token("expired", NOW));
    assert!(!cache.contains(&key("expired")));
}

/// A session that was idle for long may end after its last access token has expired.
#[test]
fn a_revocation_whose_tokens_have_expired_is_not_inserted() {
    let (cache, clock) = cache(10);
    clock.set(NOW + RETENTION);
    let subject = |until| Revocation::Subject {
        issuer: "i".into(),
        sub: "bob".into(),
        issued_before: NOW,
        until,
    };
    let later = NOW + Duration::from_millis(1);
    assert!(!cache.insert(&token("expired", NOW)));
    assert!(cache.insert(&token("current", later)));
    assert!(!cache.insert(&subject(NOW)));
    assert!(cache.insert(&subject(later)));
}

/// `SystemClock` may go back by a second, and run slower than the monotonic clock by one part in 2000.
#[test]
fn entries_outlast_long_lived_tokens_by_a_slow_clock() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let expiry = ExpireAtUntil { clock: Arc::new(ManualClock::at(NOW)) };
    let subject = |until| SubjectEntry { issued_before: NOW, until };
    let instant = std::time::Instant::now();
    for life in [Duration::ZERO, 5 * MINUTE, DAY, 30 * DAY, 3660 * DAY] {
        let until = NOW + life;
        for kept in [
            expiry.expire_after_create(&0, &subject(until), instant),
            expiry.expire_after_update(&0, &subject(until), instant, None),
        ] {
            let kept = kept.unwrap();
            let shown = NOW + (kept - kept / 2000) - Duration::from_secs(1);
            let needed = until + claims::MAX_LEEWAY;
            assert!(shown >= needed, "{life:?}: expires at {shown}, before {needed}");
        }
    }
}

#[test]
fn an_entry_may_last_until_the_maximum_timestamp() {
    let (cache, _) = cache(10);
    cache.insert(&token("kept", Timestamp::MAX));
    cache.run_maintenance();
    assert!(cache.contains(&key("kept")));
}

#[test]
fn an_update_extends_and_never_shortens() {
    let (cache, clock) = cache(10);
    let soon = NOW - RETENTION + Duration::from_millis(300);
    cache.insert(&token("extended", soon));
    cache.insert(&token("extended", NOW + MINUTE));
    cache.insert(&token("not shortened", NOW + MINUTE));
    cache.insert(&token("not shortened", soon));
    cache.insert(&token("gone", soon));
    clock.advance(Duration::from_secs(1));
    remove_expired(&cache, clock.now());
    assert!(cache.contains(&key("extended")));
    assert!(cache.contains(&key("not shortened")));
    assert!(!cache.contains(&key("gone")), "an expired entry is removed");
}

/// In real time, because moka uses the monotonic clock.
#[test]
fn an_update_extends_the_entry_of_a_subject_and_never_shortens_it() {
    let (cache, _) = cache(10);
    let soon = NOW - RETENTION + Duration::from_millis(300);
    let subject = |sub: &str, until| Revocation::Subject {
        issuer: "i".into(),
        sub: sub.into(),
        issued_before: NOW,
        until,
    };
    let key = |sub| RevocationKey::Subject { issuer: "i", sub, issued_at: NOW - MINUTE };
    cache.insert(&subject("extended", soon));
    cache.insert(&subject("extended", NOW + MINUTE));
    cache.insert(&subject("not shortened", NOW + MINUTE));
    cache.insert(&subject("not shortened", soon));
    cache.insert(&subject("gone", soon));
    for _ in 0..2000 {
        cache.run_maintenance();
        if !cache.contains(&key("gone")) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(cache.contains(&key("extended")));
    assert!(cache.contains(&key("not shortened")));
    assert!(!cache.contains(&key("gone")), "an expired entry is removed");
}

#[test]
fn the_later_revocation_of_a_subject_counts_and_later_tokens_are_not_revoked() {
    let (cache, _) = cache(10);
    let subject = |issued_before, until| Revocation::Subject {
        issuer: "i".into(),
        sub: "bob".into(),
        issued_before,
        until,
    };
    let bob = |issued_at| RevocationKey::Subject { issuer: "i", sub: "bob", issued_at };
    assert!(!cache.contains(&bob(NOW - MINUTE)));
    cache.insert(&subject(NOW, NOW + MINUTE));
    cache.insert(&subject(NOW - MINUTE, NOW + 2 * MINUTE));
    assert!(cache.contains(&bob(NOW - Duration::from_millis(1))));
    assert!(!cache.contains(&bob(NOW)));
}

#[test]
fn a_clock_that_jumps_ahead_and_back_removes_nothing() {
    let (cache, clock) = cache(10);
    cache.insert(&token("kept", NOW + MINUTE));
    clock.set(NOW + Duration::from_secs(24 * 3600));
    run_all_maintenance(&cache);
    clock.set(NOW);
    assert!(cache.contains(&key("kept")));
}
