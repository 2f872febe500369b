//! What every store must pass, whatever it keeps sessions in.
//!
//! A store's tests call [`store_conformance!`](crate::store_conformance) once, with an expression that makes a
//! store. It may be a new one each time or one that others use as well: every check keeps to issuers, subjects
//! and sessions of its own. Time is the store's, so the checks place their sessions around the time that the
//! store tells.
//!
//! ```
//! # use tower_jwt_auth_core::MemoryStore as MyStore;
//! mod my_store {
//!     # use super::MyStore;
//!     tower_jwt_auth_core::store_conformance!(async { MyStore::new() });
//! }
//! # fn main() {}
//! ```
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    Advance, Cursor, Device, EndReason, Heartbeat, LateRetry, LogEntry, LogPage, NodeId, Presented,
    Refusal, Revocation, RevocationKey, RotationPolicy, SecretHash, Session, SessionId,
    SessionLimit, SessionParts, SessionStore, StoreError, Timestamp, TokenId, Verdict, Which,
};

/// Makes one `#[tokio::test]` of every check of the contract, for the store that the expression makes.
///
/// The crate that calls it needs tokio with `macros` and `rt-multi-thread` among its dev-dependencies.
#[macro_export]
macro_rules! store_conformance {
    ($make:expr) => {
        $crate::store_conformance! { @each $make;
            a_session_is_read_back_with_every_part
            an_unknown_session_is_none
            a_taken_name_is_a_conflict_and_changes_nothing
            a_limit_that_refuses_counts_live_sessions_of_the_subject
            a_limit_that_ends_ends_the_oldest_and_never_the_new_one
            of_many_sign_ins_at_once_the_limit_stays
            an_advance_moves_one_generation_and_slides_the_idle_expiry
            an_advance_never_slides_beyond_the_absolute_end
            an_advance_raises_and_never_lowers_access_until
            an_advance_that_does_not_apply_changes_nothing
            of_many_advances_at_once_one_wins
            rows_and_the_pure_rule_agree
            a_late_retry_is_remembered_and_slides_nothing
            a_late_retry_that_does_not_apply_changes_nothing
            ending_appends_an_entry_until_the_last_access_token
            ending_twice_is_told_once
            ending_an_expired_session_still_revokes_its_access_tokens
            ending_by_a_presented_token_needs_the_sessions_secret
            ending_reaches_only_the_subjects_own_sessions
            ending_all_others_keeps_one
            an_ended_session_never_advances_however_they_race
            the_list_shows_live_sessions_oldest_first
            purging_sessions_keeps_what_matters
            the_log_is_read_in_pages_and_followed
            a_cursor_of_another_log_is_lost
            a_waiting_reader_is_woken
            the_log_is_asked_for_each_kind_of_key
            purging_the_log_keeps_what_matters
            many_writers_lose_no_entry
        }
    };
    (@each $make:expr; $($check:ident)+) => {
        $(
            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let store: ::std::sync::Arc<dyn $crate::SessionStore> =
                    ::std::sync::Arc::new($make.await);
                $crate::conformance::$check(store).await;
            }
        )+
    };
}

/// The store to check.
pub type Store = Arc<dyn SessionStore>;

const ANY: SessionLimit = SessionLimit::none();
const HOUR: Duration = Duration::from_secs(3600);
const HASH: SecretHash = SecretHash::from_bytes([0x5a; 32]);
const OTHER_HASH: SecretHash = SecretHash::from_bytes([0xa5; 32]);

/// A name that no other check uses, so that checks can share a store.
fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", TokenId::random().unwrap())
}

/// The time by the store's clock.
async fn now(store: &Store) -> Timestamp {
    let probe = session(Timestamp::UNIX_EPOCH, |_| {});
    store.insert(&probe, ANY).await.unwrap();
    store.load(probe.id()).await.unwrap().unwrap().now
}

/// A session that was refreshed at `now` and is good for an hour idle, a day at most.
fn session(now: Timestamp, change: impl FnOnce(&mut SessionParts)) -> Session {
    let mut parts = SessionParts {
        id: SessionId::random().unwrap(),
        issuer: unique("https://issuer.example/"),
        subject: unique("subject"),
        secret_hash: HASH,
        generation: 0,
        created_at: now,
        rotated_at: now,
        idle_until: now + HOUR,
        expires_at: now + 24 * HOUR,
        access_until: now + Duration::from_secs(300),
        late_retry: None,
        ended: None,
        auth_time: now,
        client_id: "web".into(),
        scope: "read write".into(),
        claims: r#"{"name":"Älice \"A\" 😀"}"#.into(),
        device: Device::default(),
    };
    change(&mut parts);
    Session::from_parts(parts)
}

async fn insert(store: &Store, change: impl FnOnce(&mut SessionParts)) -> Session {
    let new = session(now(store).await, change);
    store.insert(&new, ANY).await.unwrap();
    new
}

async fn row(store: &Store, id: SessionId) -> Session {
    store.load(id).await.unwrap().expect("the session is there").session
}

fn step(session: &Session) -> Advance {
    Advance {
        id: session.id(),
        secret_hash: HASH,
        from_generation: session.generation(),
        idle: 2 * HOUR,
        access_until: session.parts().access_until,
    }
}

fn retry(session: &Session) -> LateRetry {
    LateRetry {
        id: session.id(),
        secret_hash: HASH,
        generation: session.generation() - 1,
        access_until: session.parts().access_until,
    }
}

/// All that the log holds after the cursor, read `limit` at a time, and where it ends.
async fn read_all(
    store: &Store,
    mut after: Option<Cursor>,
    limit: usize,
) -> (Vec<Revocation>, Cursor) {
    let mut all = Vec::new();
    loop {
        let page = store.read(after.as_ref(), limit).await.unwrap();
        let LogPage::Entries { entries, next, more } = page else { panic!("the cursor is lost") };
        assert!(entries.len() <= limit.max(1) || !more, "a page holds at most what was asked for");
        all.extend(entries.into_iter().filter_map(|entry| match entry {
            LogEntry::Revocation(revocation) => Some(revocation),
            LogEntry::Heartbeat(_) => None,
        }));
        after = Some(next.clone());
        if !more {
            return (all, next);
        }
    }
}

fn token(issuer: &str, jti: &str, until: Timestamp) -> Revocation {
    Revocation::Token { issuer: issuer.into(), jti: jti.into(), until }
}

pub async fn a_session_is_read_back_with_every_part(store: Store) {
    let now = now(&store).await;
    let full = session(now, |s| {
        s.generation = 7;
        s.late_retry = Some(3);
        s.created_at = now - HOUR;
        s.rotated_at = now - Duration::from_millis(1234);
        s.auth_time = now - Duration::from_millis(3_599_001);
        s.device = Device::default().with_user_agent("Möz/5.0 'x'").with_address("2001:db8::1");
    });
    store.insert(&full, ANY).await.unwrap();
    let loaded = store.load(full.id()).await.unwrap().unwrap();
    assert_eq!(loaded.session, full);
    assert!(loaded.now >= now, "the store's time does not go back");
    assert!(loaded.now.since(now) < HOUR);

    let bare = session(now, |s| {
        s.client_id = String::new();
        s.scope = String::new();
        s.claims = "{}".into();
    });
    store.insert(&bare, ANY).await.unwrap();
    assert_eq!(row(&store, bare.id()).await, bare);
}

pub async fn an_unknown_session_is_none(store: Store) {
    let unknown = session(now(&store).await, |s| s.generation = 1);
    assert!(store.load(unknown.id()).await.unwrap().is_none());
    assert!(store.advance(&step(&unknown)).await.unwrap().is_none());
    assert!(store.late_retry(&retry(&unknown)).await.unwrap().is_none());
    let which = Which::One { id: unknown.id() };
    assert!(store.end(&which, EndReason::Logout).await.unwrap().is_empty());
    let parts = unknown.parts();
    assert!(store.list(&parts.issuer, &parts.subject).await.unwrap().is_empty());
}

pub async fn a_taken_name_is_a_conflict_and_changes_nothing(store: Store) {
    let first = insert(&store, |_| {}).await;
    let second = insert(&store, |_| {}).await;
    let mut parts = second.clone().into_parts();
    parts.id = first.id();
    let taken = store.insert(&Session::from_parts(parts), ANY).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    assert_eq!(row(&store, first.id()).await, first);
    let parts = second.parts();
    assert_eq!(
        store.list(&parts.issuer, &parts.subject).await.unwrap(),
        std::slice::from_ref(&second)
    );
}

/// A session of the same owner as another, started so much later.
fn beside(other: &Session, later: Duration) -> Session {
    let mut parts = other.clone().into_parts();
    parts.id = SessionId::random().unwrap();
    parts.created_at = parts.created_at + later;
    Session::from_parts(parts)
}

pub async fn a_limit_that_refuses_counts_live_sessions_of_the_subject(store: Store) {
    let [first, second, _, _] = neighbours(&store).await;
    let idle = beside(&first, HOUR);
    let mut parts = idle.into_parts();
    parts.idle_until = parts.rotated_at - HOUR;
    store.insert(&Session::from_parts(parts), ANY).await.unwrap();

    let third = beside(&first, HOUR);
    let refused = store.insert(&third, SessionLimit::refuse(2)).await;
    assert!(matches!(refused, Err(StoreError::Limit)), "{refused:?}");
    assert!(store.load(third.id()).await.unwrap().is_none(), "nothing was added");
    store.end(&Which::One { id: second.id() }, EndReason::Logout).await.unwrap();
    assert!(store.insert(&third, SessionLimit::refuse(2)).await.unwrap().is_empty());
    assert_eq!(row(&store, first.id()).await, first);
}

pub async fn a_limit_that_ends_ends_the_oldest_and_never_the_new_one(store: Store) {
    let [first, second, stranger, namesake] = neighbours(&store).await;
    let third = beside(&first, HOUR);
    store.insert(&third, ANY).await.unwrap();
    // By a node whose clock is behind: it is new all the same.
    let mut parts = beside(&first, HOUR).into_parts();
    parts.created_at = parts.created_at - 2 * HOUR;
    let new = Session::from_parts(parts);
    let (_, end) = read_all(&store, None, 1000).await;
    let ended = store.insert(&new, SessionLimit::end_oldest(2)).await.unwrap();
    assert_eq!(ended.len(), 2);
    let (seen, _) = read_all(&store, Some(end), 1000).await;
    assert!(ended.iter().all(|entry| seen.contains(entry)), "they are in the log");
    for over in [first, second] {
        let ended = row(&store, over.id()).await.into_parts().ended.unwrap();
        assert_eq!(ended.reason, EndReason::Limit);
    }
    for kept in [&third, &new, &stranger, &namesake] {
        assert_eq!(row(&store, kept.id()).await, *kept);
    }
}

pub async fn of_many_sign_ins_at_once_the_limit_stays(store: Store) {
    for (limit, succeed) in [(SessionLimit::end_oldest(3), 20), (SessionLimit::refuse(3), 3)] {
        let first = session(now(&store).await, |_| {});
        let mut racing = Vec::new();
        for _ in 0..20 {
            let (store, new) = (store.clone(), beside(&first, Duration::ZERO));
            racing.push(tokio::spawn(async move { store.insert(&new, limit).await.is_ok() }));
        }
        let mut succeeded = 0;
        for racer in racing {
            succeeded += usize::from(racer.await.unwrap());
        }
        assert_eq!(succeeded, succeed);
        let parts = first.parts();
        assert_eq!(store.list(&parts.issuer, &parts.subject).await.unwrap().len(), 3);
    }
}

pub async fn an_advance_moves_one_generation_and_slides_the_idle_expiry(store: Store) {
    let before = insert(&store, |s| s.rotated_at = s.rotated_at - HOUR).await;
    let earliest = now(&store).await;
    let after = store.advance(&step(&before)).await.unwrap().expect("it applies");
    let latest = now(&store).await;
    assert_eq!(row(&store, before.id()).await, after, "what is returned is what was written");

    let parts = after.into_parts();
    assert_eq!(parts.generation, 1);
    assert!(earliest <= parts.rotated_at && parts.rotated_at <= latest, "by the store's clock");
    assert_eq!(parts.idle_until, parts.rotated_at + 2 * HOUR);
    let expected = SessionParts {
        generation: 1,
        rotated_at: parts.rotated_at,
        idle_until: parts.idle_until,
        ..before.into_parts()
    };
    assert_eq!(parts, expected, "nothing else changes");
}

pub async fn an_advance_never_slides_beyond_the_absolute_end(store: Store) {
    let session = insert(&store, |s| s.expires_at = s.rotated_at + HOUR + HOUR / 2).await;
    let after = store.advance(&step(&session)).await.unwrap().unwrap();
    assert_eq!(after.parts().idle_until, session.parts().expires_at);
    assert_eq!(after.parts().expires_at, session.parts().expires_at);
}

pub async fn an_advance_raises_and_never_lowers_access_until(store: Store) {
    let session = insert(&store, |_| {}).await;
    let later = session.parts().access_until + HOUR;
    let raise = Advance { access_until: later, ..step(&session) };
    let raised = store.advance(&raise).await.unwrap().unwrap();
    assert_eq!(raised.parts().access_until, later);
    let lower = Advance { access_until: later - 2 * HOUR, ..step(&raised) };
    let same = store.advance(&lower).await.unwrap().unwrap();
    assert_eq!(same.parts().access_until, later);
}

pub async fn an_advance_that_does_not_apply_changes_nothing(store: Store) {
    let ago = |s: &SessionParts, by: Duration| s.rotated_at - by;
    let live = insert(&store, |s| s.generation = 3).await;
    let idle = insert(&store, |s| s.idle_until = ago(s, Duration::from_millis(1))).await;
    let expired = insert(&store, |s| s.expires_at = ago(s, Duration::from_millis(1))).await;
    let ended = insert(&store, |_| {}).await;
    store.end(&Which::One { id: ended.id() }, EndReason::Logout).await.unwrap();
    let ended = row(&store, ended.id()).await;
    for (what, session, step) in [
        ("an older generation", &live, Advance { from_generation: 2, ..step(&live) }),
        ("a newer generation", &live, Advance { from_generation: 4, ..step(&live) }),
        ("another secret", &live, Advance { secret_hash: OTHER_HASH, ..step(&live) }),
        ("idle", &idle, step(&idle)),
        ("expired", &expired, step(&expired)),
        ("ended", &ended, step(&ended)),
    ] {
        assert!(store.advance(&step).await.unwrap().is_none(), "{what}");
        assert_eq!(row(&store, session.id()).await, *session, "{what}");
    }
}

pub async fn of_many_advances_at_once_one_wins(store: Store) {
    let session = insert(&store, |_| {}).await;
    let mut racing = Vec::new();
    for _ in 0..50 {
        let (store, step) = (store.clone(), step(&session));
        racing.push(tokio::spawn(async move { store.advance(&step).await.unwrap() }));
    }
    let mut winners = 0;
    for racer in racing {
        winners += usize::from(racer.await.unwrap().is_some());
    }
    assert_eq!(winners, 1);
    assert_eq!(row(&store, session.id()).await.generation(), 1);
}

pub async fn rows_and_the_pure_rule_agree(store: Store) {
    let policy = RotationPolicy::default();
    let session = insert(&store, |_| {}).await;
    let first = Presented { generation: 0, secret_hash: HASH };
    let loaded = store.load(session.id()).await.unwrap().unwrap();
    assert_eq!(loaded.session.present(&first, loaded.now, &policy), Verdict::Rotate);
    store.advance(&step(&session)).await.unwrap().unwrap();
    let loaded = store.load(session.id()).await.unwrap().unwrap();
    assert_eq!(loaded.session.present(&first, loaded.now, &policy), Verdict::Replay);
    let late = policy.clone().with_grace(Duration::ZERO);
    assert_eq!(loaded.session.present(&first, loaded.now, &late), Verdict::LateRetry);
    store.advance(&step(&loaded.session)).await.unwrap().unwrap();
    let loaded = store.load(session.id()).await.unwrap().unwrap();
    assert_eq!(loaded.session.present(&first, loaded.now, &policy), Verdict::Reuse);
    store.end(&Which::One { id: session.id() }, EndReason::Reuse).await.unwrap();
    let loaded = store.load(session.id()).await.unwrap().unwrap();
    let verdict = loaded.session.present(&first, loaded.now, &policy);
    assert_eq!(verdict, Verdict::Refused(Refusal::Ended));
    assert_eq!(loaded.session.parts().ended.map(|ended| ended.reason), Some(EndReason::Reuse));
}

pub async fn a_late_retry_is_remembered_and_slides_nothing(store: Store) {
    let session = insert(&store, |s| s.generation = 1).await;
    let later = session.parts().access_until + HOUR;
    let retry = LateRetry { access_until: later, ..retry(&session) };
    for _ in 0..2 {
        let granted =
            store.late_retry(&retry).await.unwrap().expect("the same one may be repeated");
        let expected = SessionParts {
            late_retry: Some(0),
            access_until: later,
            ..session.clone().into_parts()
        };
        assert_eq!(granted.into_parts(), expected);
        assert_eq!(row(&store, session.id()).await.into_parts(), expected);
    }
}

pub async fn a_late_retry_that_does_not_apply_changes_nothing(store: Store) {
    let live = insert(&store, |s| s.generation = 5).await;
    let twice = insert(&store, |s| {
        s.generation = 5;
        s.late_retry = Some(3);
    })
    .await;
    let idle = insert(&store, |s| {
        s.generation = 5;
        s.idle_until = s.rotated_at - HOUR;
    })
    .await;
    let ended = insert(&store, |s| s.generation = 5).await;
    store.end(&Which::One { id: ended.id() }, EndReason::Logout).await.unwrap();
    let ended = row(&store, ended.id()).await;
    for (what, session, retry) in [
        ("the current generation", &live, LateRetry { generation: 5, ..retry(&live) }),
        ("two generations back", &live, LateRetry { generation: 3, ..retry(&live) }),
        ("another secret", &live, LateRetry { secret_hash: OTHER_HASH, ..retry(&live) }),
        ("two generations running", &twice, retry(&twice)),
        ("idle", &idle, retry(&idle)),
        ("ended", &ended, retry(&ended)),
    ] {
        assert!(store.late_retry(&retry).await.unwrap().is_none(), "{what}");
        assert_eq!(row(&store, session.id()).await, *session, "{what}");
    }
}

pub async fn ending_appends_an_entry_until_the_last_access_token(store: Store) {
    let session = insert(&store, |_| {}).await;
    let (_, end) = read_all(&store, None, 1000).await;
    let which = Which::One { id: session.id() };
    let entries = store.end(&which, EndReason::Logout).await.unwrap();
    let expected = Revocation::Session {
        issuer: session.parts().issuer.clone(),
        sid: session.id().to_string(),
        until: session.parts().access_until,
    };
    assert_eq!(entries, std::slice::from_ref(&expected));
    let (seen, _) = read_all(&store, Some(end), 1000).await;
    assert!(seen.contains(&expected), "{seen:?}");
    let ended = row(&store, session.id()).await.into_parts().ended.unwrap();
    assert_eq!(ended.reason, EndReason::Logout);
    assert!(ended.at >= session.created_at());
}

pub async fn ending_twice_is_told_once(store: Store) {
    let session = insert(&store, |_| {}).await;
    let which = Which::One { id: session.id() };
    assert_eq!(store.end(&which, EndReason::Logout).await.unwrap().len(), 1);
    let first = row(&store, session.id()).await;
    assert!(store.end(&which, EndReason::Reuse).await.unwrap().is_empty());
    assert_eq!(row(&store, session.id()).await, first, "the first reason stays");
}

pub async fn ending_an_expired_session_still_revokes_its_access_tokens(store: Store) {
    let session = insert(&store, |s| s.idle_until = s.rotated_at - HOUR).await;
    let which = Which::One { id: session.id() };
    let entries = store.end(&which, EndReason::Logout).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].until(), session.parts().access_until);
}

pub async fn ending_by_a_presented_token_needs_the_sessions_secret(store: Store) {
    let session = insert(&store, |_| {}).await;
    let forged = Which::Presented { id: session.id(), secret_hash: OTHER_HASH };
    assert!(store.end(&forged, EndReason::Logout).await.unwrap().is_empty());
    assert_eq!(row(&store, session.id()).await, session);
    let own = Which::Presented { id: session.id(), secret_hash: HASH };
    assert_eq!(store.end(&own, EndReason::Logout).await.unwrap().len(), 1);
}

/// Two sessions of one subject, one of another subject, one of the same name at another issuer.
async fn neighbours(store: &Store) -> [Session; 4] {
    let first = insert(store, |_| {}).await;
    let (issuer, subject) = (first.parts().issuer.clone(), first.parts().subject.clone());
    let second = insert(store, |s| (s.issuer, s.subject) = (issuer.clone(), subject.clone())).await;
    let stranger = insert(store, |s| s.issuer = issuer.clone()).await;
    let namesake = insert(store, |s| s.subject = subject.clone()).await;
    [first, second, stranger, namesake]
}

pub async fn ending_reaches_only_the_subjects_own_sessions(store: Store) {
    let [first, second, stranger, namesake] = neighbours(&store).await;
    let (issuer, subject) = (&*first.parts().issuer, first.subject());

    let not_theirs = Which::Owned { issuer, subject, id: stranger.id() };
    assert!(store.end(&not_theirs, EndReason::Logout).await.unwrap().is_empty());
    let theirs = Which::Owned { issuer, subject, id: second.id() };
    assert_eq!(store.end(&theirs, EndReason::Logout).await.unwrap().len(), 1);
    assert_eq!(row(&store, first.id()).await, first);

    let all = Which::All { issuer, subject };
    assert_eq!(store.end(&all, EndReason::Logout).await.unwrap().len(), 1, "one was left");
    assert!(row(&store, first.id()).await.parts().ended.is_some());
    assert_eq!(row(&store, stranger.id()).await, stranger);
    assert_eq!(row(&store, namesake.id()).await, namesake);
}

pub async fn ending_all_others_keeps_one(store: Store) {
    let [first, second, stranger, namesake] = neighbours(&store).await;
    let (issuer, subject) = (&*first.parts().issuer, first.subject());
    let others = Which::Others { issuer, subject, keep: first.id() };
    let ended = store.end(&others, EndReason::Logout).await.unwrap();
    assert_eq!(ended.len(), 1);
    assert!(row(&store, second.id()).await.parts().ended.is_some());
    for kept in [&first, &stranger, &namesake] {
        assert_eq!(row(&store, kept.id()).await, *kept);
    }
}

pub async fn an_ended_session_never_advances_however_they_race(store: Store) {
    for _ in 0..20 {
        let session = insert(&store, |_| {}).await;
        let step = Advance { access_until: session.parts().access_until + HOUR, ..step(&session) };
        let advancing = tokio::spawn({
            let (store, step) = (store.clone(), step.clone());
            async move { store.advance(&step).await.unwrap() }
        });
        let which = Which::One { id: session.id() };
        let entries = store.end(&which, EndReason::Logout).await.unwrap();
        let advanced = advancing.await.unwrap();
        // Whichever came first, the entry covers the latest token that was made.
        let latest = match &advanced {
            Some(row) => row.parts().access_until,
            None => session.parts().access_until,
        };
        assert_eq!(entries.iter().map(Revocation::until).collect::<Vec<_>>(), [latest]);
        let next = row(&store, session.id()).await;
        let step = Advance { from_generation: next.generation(), ..step };
        assert!(store.advance(&step).await.unwrap().is_none());
    }
}

pub async fn the_list_shows_live_sessions_oldest_first(store: Store) {
    let newest = insert(&store, |_| {}).await;
    let same_owner = |s: &mut SessionParts| {
        s.issuer.clone_from(&newest.parts().issuer);
        s.subject.clone_from(&newest.parts().subject);
    };
    let oldest = insert(&store, |s| {
        same_owner(s);
        s.created_at = s.created_at - 2 * HOUR;
    })
    .await;
    let middle = insert(&store, |s| {
        same_owner(s);
        s.created_at = s.created_at - HOUR;
    })
    .await;
    for over in [true, false] {
        let session = insert(&store, |s| {
            same_owner(s);
            if over {
                s.expires_at = s.rotated_at - HOUR
            } else {
                s.idle_until = s.rotated_at - HOUR
            }
        })
        .await;
        assert!(!session.is_live(now(&store).await));
    }
    let ended = insert(&store, same_owner).await;
    store.end(&Which::One { id: ended.id() }, EndReason::Logout).await.unwrap();
    let listed = store.list(&newest.parts().issuer, newest.subject()).await.unwrap();
    assert_eq!(listed, [oldest, middle, newest]);
}

pub async fn purging_sessions_keeps_what_matters(store: Store) {
    let ancient = |s: &mut SessionParts| {
        let ago = 1000 * 24 * HOUR;
        for time in [&mut s.created_at, &mut s.rotated_at, &mut s.idle_until, &mut s.expires_at] {
            *time = *time - ago;
        }
        s.access_until = s.access_until - ago;
    };
    let over = insert(&store, ancient).await;
    let live = insert(&store, |_| {}).await;
    let token_lives = insert(&store, |s| {
        let access_until = s.access_until;
        ancient(s);
        s.access_until = access_until;
    })
    .await;
    let ended = insert(&store, |_| {}).await;
    store.end(&Which::One { id: ended.id() }, EndReason::Logout).await.unwrap();

    let older_than = 900 * 24 * HOUR;
    assert_eq!(store.purge_sessions(older_than, 0).await.unwrap(), 0, "no more than asked");
    while store.purge_sessions(older_than, 10).await.unwrap() > 0 {}
    assert!(store.load(over.id()).await.unwrap().is_none());
    for kept in [live, token_lives, ended] {
        assert!(store.load(kept.id()).await.unwrap().is_some());
    }
}

pub async fn the_log_is_read_in_pages_and_followed(store: Store) {
    let issuer = unique("https://pages.example/");
    let until = now(&store).await + HOUR;
    let entry = |n: usize| token(&issuer, &format!("token-{n}"), until);
    let (_, start) = read_all(&store, None, 1000).await;
    let wanted: Vec<_> = (0..25).map(entry).collect();
    for chunk in wanted.chunks(5) {
        let entries: Vec<_> = chunk.iter().cloned().map(LogEntry::Revocation).collect();
        store.append(&entries).await.unwrap();
    }
    let beat = Heartbeat { node: NodeId::random().unwrap(), beat: 1, at: until };
    store.append(&[LogEntry::Heartbeat(beat)]).await.unwrap();

    for limit in [1, 4, 1000] {
        let (seen, _) = read_all(&store, Some(start.clone()), limit).await;
        let seen: HashSet<_> = seen.into_iter().collect();
        assert!(wanted.iter().all(|entry| seen.contains(entry)), "pages of {limit}");
    }
    let (seen, end) = read_all(&store, None, 7).await;
    let seen: HashSet<_> = seen.into_iter().collect();
    assert!(wanted.iter().all(|entry| seen.contains(entry)), "from the start");

    let last = token(&issuer, "the last", until);
    store.append(&[LogEntry::Revocation(last.clone())]).await.unwrap();
    store.append(&[LogEntry::Revocation(last.clone())]).await.unwrap();
    let (seen, _) = read_all(&store, Some(end), 1000).await;
    assert!(seen.contains(&last), "followed from where reading ended");

    let page = store.read(Some(&start), 1000).await.unwrap();
    let LogPage::Entries { entries, .. } = page else { panic!("the cursor is lost") };
    assert!(entries.contains(&LogEntry::Heartbeat(beat)), "heartbeats are read back");
}

pub async fn a_cursor_of_another_log_is_lost(store: Store) {
    let foreign = Cursor::new(*b"no cursor of any store that there is");
    assert_eq!(store.read(Some(&foreign), 10).await.unwrap(), LogPage::CursorLost);
    let empty = Cursor::new([]);
    assert_eq!(store.read(Some(&empty), 10).await.unwrap(), LogPage::CursorLost);
}

pub async fn a_waiting_reader_is_woken(store: Store) {
    let (_, end) = read_all(&store, None, 1000).await;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.changed(Some(&end)).await }
    });
    let entry = token(&unique("https://wake.example/"), "jti", now(&store).await + HOUR);
    store.append(&[LogEntry::Revocation(entry)]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap().unwrap();
}

pub async fn the_log_is_asked_for_each_kind_of_key(store: Store) {
    let issuer = &*unique("https://keys.example/");
    let now = now(&store).await.floor_to_second();
    let until = now + HOUR;
    let session = insert(&store, |s| s.issuer = issuer.into()).await;
    store.end(&Which::One { id: session.id() }, EndReason::Logout).await.unwrap();
    let subject =
        Revocation::Subject { issuer: issuer.into(), sub: "bob".into(), issued_before: now, until };
    let entries = [token(issuer, "spent", until), subject].map(LogEntry::Revocation);
    store.append(&entries).await.unwrap();

    let sid = &*session.id().to_string();
    let earlier = now - Duration::from_secs(1);
    let revoked = [
        RevocationKey::Token { issuer, jti: "spent" },
        RevocationKey::Session { issuer, sid },
        RevocationKey::Subject { issuer, sub: "bob", issued_at: earlier },
    ];
    let clear = [
        RevocationKey::Token { issuer, jti: "other" },
        RevocationKey::Token { issuer, jti: sid },
        RevocationKey::Token { issuer: "https://other.example", jti: "spent" },
        RevocationKey::Session { issuer, sid: "spent" },
        RevocationKey::Session { issuer: "https://other.example", sid },
        RevocationKey::Subject { issuer, sub: "bob", issued_at: now },
        RevocationKey::Subject { issuer, sub: "alice", issued_at: earlier },
    ];
    for key in revoked {
        assert!(store.is_revoked(&[key]).await.unwrap(), "{key:?}");
        assert!(store.is_revoked(&[clear[0], key]).await.unwrap(), "any of several: {key:?}");
    }
    for key in clear {
        assert!(!store.is_revoked(&[key]).await.unwrap(), "{key:?}");
    }
    assert!(!store.is_revoked(&clear).await.unwrap());
    assert!(!store.is_revoked(&[]).await.unwrap());
}

pub async fn purging_the_log_keeps_what_matters(store: Store) {
    let issuer = &*unique("https://purge.example/");
    let now = now(&store).await;
    let long_ago = now - 1000 * 24 * HOUR;
    let (_, start) = read_all(&store, None, 1000).await;
    let entries = [
        token(issuer, "old", long_ago),
        token(issuer, "both", long_ago),
        token(issuer, "both", now + HOUR),
        token(issuer, "new", now + HOUR),
    ];
    store.append(&entries.map(LogEntry::Revocation)).await.unwrap();
    let (_, end) = read_all(&store, Some(start.clone()), 1000).await;

    let older_than = 900 * 24 * HOUR;
    assert_eq!(store.purge_log(older_than, 0).await.unwrap(), 0, "no more than asked");
    while store.purge_log(older_than, 10).await.unwrap() > 0 {}
    let revoked =
        async |jti| store.is_revoked(&[RevocationKey::Token { issuer, jti }]).await.unwrap();
    assert!(!revoked("old").await);
    assert!(revoked("both").await, "a shorter entry does not take a longer one with it");
    assert!(revoked("new").await);

    let last = token(issuer, "last", now + HOUR);
    store.append(&[LogEntry::Revocation(last.clone())]).await.unwrap();
    for cursor in [start, end] {
        let (seen, _) = read_all(&store, Some(cursor), 1000).await;
        assert!(seen.contains(&last), "cursors stay valid");
    }
}

pub async fn many_writers_lose_no_entry(store: Store) {
    let issuer = unique("https://writers.example/");
    let until = now(&store).await + HOUR;
    let (_, start) = read_all(&store, None, 1000).await;
    let mut writers = Vec::new();
    for writer in 0..8 {
        let (store, issuer) = (store.clone(), issuer.clone());
        writers.push(tokio::spawn(async move {
            for n in 0..25 {
                let entry = token(&issuer, &format!("{writer}-{n}"), until);
                store.append(&[LogEntry::Revocation(entry)]).await.unwrap();
            }
        }));
    }
    let is_theirs = |entry: &Revocation| matches!(entry, Revocation::Token { issuer: other, .. } if *other == issuer);
    // A reader that follows while they write.
    let mut seen = HashSet::new();
    let mut cursor = start;
    while writers.iter().any(|writer| !writer.is_finished()) {
        let (entries, next) = read_all(&store, Some(cursor), 10).await;
        seen.extend(entries);
        cursor = next;
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while seen.len() < 200 && tokio::time::Instant::now() < deadline {
        let (entries, next) = read_all(&store, Some(cursor), 10).await;
        seen.extend(entries.into_iter().filter(is_theirs));
        cursor = next;
    }
    seen.retain(is_theirs);
    assert_eq!(seen.len(), 200);
}
