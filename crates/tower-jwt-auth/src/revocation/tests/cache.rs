//! The cache by itself.

use moka::Expiry as _;
use tower_jwt_auth_core::ManualClock;

use super::super::cache::{ExpireAtUntil, Subject};
use super::*;
use crate::claims;

fn entries(most: u64) -> (RevocationCache, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    (RevocationCache::new(most, clock.clone()).unwrap(), clock)
}

#[test]
fn nothing_is_evicted_however_many_there_are() {
    let (entries, _) = entries(10);
    let names: Vec<_> = (0..20_000).map(|n| format!("token-{n}")).collect();
    for name in &names {
        entries.insert(&token(name, NOW + MINUTE));
    }
    entries.run_maintenance();
    assert!(names.iter().all(|name| entries.covers(&key(name))));
}

#[test]
fn names_of_different_kinds_and_issuers_are_apart() {
    let (entries, _) = entries(10);
    entries.insert(&token("x", NOW + MINUTE));
    assert!(entries.covers(&key("x")));
    assert!(!entries.covers(&key("y")));
    assert!(!entries.covers(&RevocationKey::Token { issuer: "ix", jti: "" }));
    assert!(!entries.covers(&RevocationKey::Token { issuer: "", jti: "ix" }));
    assert!(!entries.covers(&RevocationKey::Token { issuer: "j", jti: "x" }));
    assert!(!entries.covers(&RevocationKey::Session { issuer: "i", sid: "x" }));
}

#[test]
fn an_entry_is_kept_beyond_the_last_token_by_leeway_and_margin() {
    assert_eq!(RETENTION, Duration::from_secs(5 * 60 + 60), "the most leeway, and a minute");
    let (entries, clock) = entries(10);
    let lasting = ExpireAtUntil { clock: clock.clone() };
    let left = || lasting.expire_after_create(&0, &NOW, std::time::Instant::now()).unwrap();
    clock.set(NOW + RETENTION - Duration::from_millis(1));
    assert!(left() >= Duration::from_millis(1));
    clock.set(NOW + RETENTION);
    assert_eq!(left(), Duration::ZERO);
    entries.insert(&token("over", NOW));
    assert!(!entries.covers(&key("over")));
}

/// A session that nobody has used for long has no token left when it is ended.
#[test]
fn what_concerns_no_token_any_more_is_not_added() {
    let (entries, clock) = entries(10);
    clock.set(NOW + RETENTION);
    let subject = |until| Revocation::Subject {
        issuer: "i".into(),
        sub: "bob".into(),
        issued_before: NOW,
        until,
    };
    let later = NOW + Duration::from_millis(1);
    assert!(!entries.insert(&token("over", NOW)));
    assert!(entries.insert(&token("lasting", later)));
    assert!(!entries.insert(&subject(NOW)));
    assert!(entries.insert(&subject(later)));
}

/// The system's clock may go back by a second unnoticed, and lose one part in 2000 of the monotonic one's time.
#[test]
fn entries_of_long_lived_tokens_outlast_them_by_a_clock_that_is_slow() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let lasting = ExpireAtUntil { clock: Arc::new(ManualClock::at(NOW)) };
    let subject = |until| Subject { issued_before: NOW, until };
    let instant = std::time::Instant::now();
    for life in [Duration::ZERO, 5 * MINUTE, DAY, 30 * DAY, 3660 * DAY] {
        let until = NOW + life;
        for kept in [
            lasting.expire_after_create(&0, &until, instant),
            lasting.expire_after_update(&0, &until, instant, None),
            lasting.expire_after_create(&0, &subject(until), instant),
            lasting.expire_after_update(&0, &subject(until), instant, None),
        ] {
            let kept = kept.unwrap();
            let shown = NOW + (kept - kept / 2000) - Duration::from_secs(1);
            let needed = until + claims::MAX_LEEWAY;
            assert!(shown >= needed, "{life:?}: over when the clock shows {shown} of {needed}");
        }
    }
}

/// What names a time that never comes is kept.
#[test]
fn an_entry_may_last_as_long_as_time_can_tell() {
    let (entries, _) = entries(10);
    entries.insert(&token("kept", Timestamp::MAX));
    entries.run_maintenance();
    assert!(entries.covers(&key("kept")));
}

/// In real time, since moka's clock is its own.
#[test]
fn an_update_extends_and_never_shortens() {
    let (entries, _) = entries(10);
    let soon = NOW - RETENTION + Duration::from_millis(300);
    entries.insert(&token("extended", soon));
    entries.insert(&token("extended", NOW + MINUTE));
    entries.insert(&token("not shortened", NOW + MINUTE));
    entries.insert(&token("not shortened", soon));
    entries.insert(&token("gone", soon));
    for _ in 0..2000 {
        entries.run_maintenance();
        if !entries.covers(&key("gone")) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(entries.covers(&key("extended")));
    assert!(entries.covers(&key("not shortened")));
    assert!(!entries.covers(&key("gone")), "what is over makes room");
}

#[test]
fn a_subjects_later_revocation_counts_and_later_tokens_live() {
    let (entries, _) = entries(10);
    let subject = |issued_before, until| Revocation::Subject {
        issuer: "i".into(),
        sub: "bob".into(),
        issued_before,
        until,
    };
    let bob = |issued_at| RevocationKey::Subject { issuer: "i", sub: "bob", issued_at };
    assert!(!entries.covers(&bob(NOW - MINUTE)));
    entries.insert(&subject(NOW, NOW + MINUTE));
    entries.insert(&subject(NOW - MINUTE, NOW + 2 * MINUTE));
    assert!(entries.covers(&bob(NOW - Duration::from_millis(1))));
    assert!(!entries.covers(&bob(NOW)));
}
