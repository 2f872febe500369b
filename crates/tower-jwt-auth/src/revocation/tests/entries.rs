//! The cache by itself.

use tower_jwt_auth_core::ManualClock;

use super::*;

fn entries(most: u64) -> (Entries, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    (Entries::new(most, clock.clone()).unwrap(), clock)
}

#[test]
fn nothing_is_evicted_however_many_there_are() {
    let (entries, _) = entries(10);
    let names: Vec<_> = (0..20_000).map(|n| format!("token-{n}")).collect();
    for name in &names {
        entries.insert(&token(name, NOW + MINUTE));
    }
    entries.tidy();
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
    assert_eq!(KEEP, Duration::from_secs(5 * 60 + 60), "the most leeway, and a minute");
    let (entries, clock) = entries(10);
    clock.set(NOW + KEEP - Duration::from_millis(1));
    entries.insert(&token("kept", NOW));
    assert!(entries.covers(&key("kept")));
    clock.set(NOW + KEEP);
    entries.insert(&token("over", NOW));
    assert!(!entries.covers(&key("over")));
}

/// In real time, since moka's clock is its own.
#[test]
fn an_update_extends_and_never_shortens() {
    let (entries, _) = entries(10);
    let soon = NOW - KEEP + Duration::from_millis(300);
    entries.insert(&token("extended", soon));
    entries.insert(&token("extended", NOW + MINUTE));
    entries.insert(&token("not shortened", NOW + MINUTE));
    entries.insert(&token("not shortened", soon));
    entries.insert(&token("gone", soon));
    assert!(entries.covers(&key("gone")));
    std::thread::sleep(Duration::from_millis(400));
    entries.tidy();
    assert!(entries.covers(&key("extended")));
    assert!(entries.covers(&key("not shortened")));
    assert!(!entries.covers(&key("gone")), "and what is over makes room");
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
