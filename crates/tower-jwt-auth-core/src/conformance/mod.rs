//! Tests of the contract that every store must pass.
//!
//! A store's tests call [`store_conformance!`](crate::store_conformance) once, with an expression that creates a
//! store. The expression may return a new store each time or one that is in use: every test has issuers, subjects and
//! sessions of its own. Time is the store's, so the tests place their sessions around the time that the store returns.
//!
//! # Examples
//!
//! ```
//! # use tower_jwt_auth_core::MemoryStore as MyStore;
//! mod my_store {
//!     # use super::MyStore;
//!     tower_jwt_auth_core::store_conformance!(async { MyStore::new() });
//! }
//! # fn main() {}
//! ```
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc
)]

mod advance;
mod end;
mod insert;
mod late_retry;
mod list;
mod purge;
mod revocation_log;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

#[doc(hidden)]
pub use self::advance::*;
#[doc(hidden)]
pub use self::end::*;
#[doc(hidden)]
pub use self::insert::*;
#[doc(hidden)]
pub use self::late_retry::*;
#[doc(hidden)]
pub use self::list::*;
#[doc(hidden)]
pub use self::purge::*;
#[doc(hidden)]
pub use self::revocation_log::*;
use crate::id::{NodeId, SessionId, TokenId};
use crate::log::{Cursor, Heartbeat, LogEntry, LogPage};
use crate::paging::{EndBatch, SessionPosition};
use crate::revocation::{Revocation, RevocationKey};
use crate::rotation::{
    AdvanceRequest, LateRetryRequest, PresentedToken, RotationOutcome, RotationRejection,
};
use crate::rotation_policy::RotationPolicy;
use crate::session::{ClientInfo, EndReason, LateRetryRun, SecretHash, Session, SessionRecord};
use crate::session_limit::SessionLimit;
use crate::store::{SessionSelector, SessionStore, StoreError};
use crate::time::Timestamp;

/// Creates a `#[tokio::test]` of each test of the contract, for the store that the expression creates.
///
/// The calling crate needs `tokio` with the features `macros` and `rt-multi-thread` in its dev-dependencies.
///
/// # Examples
///
/// ```
/// mod memory_store {
///     use tower_jwt_auth_core::MemoryStore;
///
///     tower_jwt_auth_core::store_conformance!(async { MemoryStore::new() });
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! store_conformance {
    ($store:expr) => {
        $crate::store_conformance! { @each $store;
            a_session_is_read_back_with_every_field
            texts_of_any_characters_are_returned_unchanged
            an_unknown_session_is_not_found
            a_taken_id_is_a_conflict_and_changes_nothing
            a_limit_that_rejects_counts_live_sessions_of_the_subject
            a_limit_that_ends_ends_the_oldest_and_never_the_new_one
            many_concurrent_sign_ins_keep_to_the_limit
            a_limit_introduced_later_is_reached_in_bounded_steps
            an_advance_moves_one_generation_and_slides_the_idle_expiry
            an_advance_never_slides_beyond_the_absolute_end
            an_advance_raises_and_never_lowers_access_until
            an_advance_that_does_not_apply_changes_nothing
            the_first_advance_of_a_session_needs_no_window_to_be_over
            an_advance_within_the_window_changes_nothing
            of_many_concurrent_advances_one_wins
            records_and_the_pure_rule_agree
            a_late_retry_opens_a_window_and_slides_nothing
            a_late_retry_needs_no_clock_to_catch_up
            a_late_retry_is_granted_once_per_generation
            late_retries_are_counted_over_consecutive_generations
            a_late_retry_that_does_not_apply_changes_nothing
            of_many_concurrent_late_retries_one_wins
            of_a_concurrent_advance_and_late_retry_one_wins
            ending_appends_an_entry_until_the_last_access_token
            ending_twice_returns_one_entry
            ending_an_expired_session_still_revokes_its_access_tokens
            ending_by_a_presented_token_needs_the_sessions_secret
            ending_reaches_only_the_subjects_own_sessions
            ending_all_others_keeps_one
            many_sessions_are_ended_in_batches_the_oldest_first
            a_session_that_is_added_between_two_batches_does_not_end
            a_batch_skips_ended_sessions_and_ends_expired_ones
            of_concurrent_batches_one_ends_each_session
            an_ended_session_never_advances_in_a_race
            the_list_shows_live_sessions_in_the_order_in_which_they_were_added
            purging_sessions_keeps_those_still_needed
            the_log_is_read_in_pages_and_followed
            a_cursor_of_another_log_is_lost
            a_waiting_reader_is_woken
            the_log_is_queried_for_each_kind_of_key
            purging_the_log_keeps_entries_still_needed
            many_writers_lose_no_entry
        }
    };
    (@each $store:expr; $($test:ident)+) => {
        $(
            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let store: ::std::sync::Arc<dyn $crate::SessionStore> =
                    ::std::sync::Arc::new($store.await);
                $crate::conformance::$test(store).await;
            }
        )+
    };
}

/// The store under test.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tower_jwt_auth_core::{MemoryStore, conformance};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let store: conformance::Store = Arc::new(MemoryStore::new());
/// conformance::an_unknown_session_is_not_found(store).await;
/// # }
/// ```
pub type Store = Arc<dyn SessionStore>;

const NO_LIMIT: SessionLimit = SessionLimit::none();
const HOUR: Duration = Duration::from_secs(3600);
/// Longer than any test takes.
const GRACE: Duration = HOUR;
const MINUTE: Duration = Duration::from_secs(60);
const HASH: SecretHash = SecretHash::from_bytes([0x5a; 32]);
const OTHER_HASH: SecretHash = SecretHash::from_bytes([0xa5; 32]);

/// Returns a text that no other test uses, so that tests can share a store.
fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", TokenId::random().unwrap())
}

/// Returns the time by the store's clock.
async fn now(store: &Store) -> Timestamp {
    let probe = session(Timestamp::UNIX_EPOCH, |_| {});
    store.insert(&probe, NO_LIMIT).await.unwrap();
    store.load(probe.id()).await.unwrap().unwrap().now
}

/// Creates a session that was refreshed at `now`, is idle after two hours and expires after a day.
fn session(now: Timestamp, change: impl FnOnce(&mut SessionRecord)) -> Session {
    let (id, issuer) = (SessionId::random().unwrap(), unique("https://issuer.example/"));
    let mut record = SessionRecord {
        idle_until: now + 2 * HOUR,
        expires_at: now + 24 * HOUR,
        access_until: now + Duration::from_secs(300),
        client_id: "web".into(),
        scope: "read write".into(),
        claims: r#"{"name":"Älice \"A\" 😀"}"#.into(),
        ..SessionRecord::new(id, issuer, unique("subject"), HASH, now)
    };
    change(&mut record);
    Session::from_record(record)
}

async fn insert(store: &Store, change: impl FnOnce(&mut SessionRecord)) -> Session {
    let new = session(now(store).await, change);
    store.insert(&new, NO_LIMIT).await.unwrap();
    new
}

async fn load(store: &Store, id: SessionId) -> Session {
    store.load(id).await.unwrap().expect("the session exists").session
}

fn advance_request(session: &Session) -> AdvanceRequest {
    AdvanceRequest {
        id: session.id(),
        secret_hash: HASH,
        from_generation: session.generation(),
        grace: GRACE,
        idle: 3 * HOUR,
        access_until: session.record().access_until,
    }
}

fn late_retry_request(session: &Session) -> LateRetryRequest {
    LateRetryRequest {
        id: session.id(),
        secret_hash: HASH,
        generation: session.generation() - 1,
        grace: GRACE,
        max_running: 1,
        access_until: session.record().access_until,
    }
}

/// Returns all live sessions of this session's owner.
async fn list(store: &Store, of: &Session) -> Vec<Session> {
    let page = store.list(&of.record().issuer, of.subject(), None, 1000).await.unwrap();
    assert_eq!(page.next, None);
    page.sessions
}

/// Ends all sessions of this session's owner except `keep`, `limit` at a time.
async fn end_all(
    store: &Store,
    of: &Session,
    keep: Option<SessionId>,
    limit: usize,
) -> Vec<Revocation> {
    let (issuer, subject) = (&*of.record().issuer, of.subject());
    let reason = EndReason::Logout;
    let mut batch = EndBatch { issuer, subject, keep, after: None, through: None, limit, reason };
    let mut all = Vec::new();
    loop {
        let ended = store.end_batch(&batch).await.unwrap();
        all.extend(ended.revocations);
        (batch.after, batch.through) = (ended.next, Some(ended.through));
        if batch.after.is_none() {
            return all;
        }
    }
}

/// Returns the revocations in the log after the cursor, read `limit` at a time, and the cursor of its end.
async fn read_all(
    store: &Store,
    mut after: Option<Cursor>,
    limit: usize,
) -> (Vec<Revocation>, Cursor) {
    let mut all = Vec::new();
    loop {
        let page = store.read(after.as_ref(), limit).await.unwrap();
        let LogPage::Entries { entries, next, more } = page else { panic!("the cursor is lost") };
        assert!(entries.len() <= limit.max(1) || !more, "a page has at most the requested size");
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

/// Creates a session of the same owner as another, created later by this much.
fn beside(other: &Session, later: Duration) -> Session {
    let mut record = other.clone().into_record();
    record.id = SessionId::random().unwrap();
    record.created_at = record.created_at + later;
    Session::from_record(record)
}

/// Inserts two sessions of one subject, one of another subject, and one of an equal subject of another issuer.
async fn insert_neighbours(store: &Store) -> [Session; 4] {
    let first = insert(store, |_| {}).await;
    let (issuer, subject) = (first.record().issuer.clone(), first.record().subject.clone());
    let second = insert(store, |s| (s.issuer, s.subject) = (issuer.clone(), subject.clone())).await;
    let stranger = insert(store, |s| s.issuer = issuer.clone()).await;
    let namesake = insert(store, |s| s.subject = subject.clone()).await;
    [first, second, stranger, namesake]
}

/// Inserts a session of this generation whose grace window has just ended.
async fn insert_after_window(
    store: &Store,
    generation: u64,
    change: impl FnOnce(&mut SessionRecord),
) -> Session {
    insert(store, |s| {
        s.generation = generation;
        s.rotated_at = s.rotated_at - GRACE;
        change(s);
    })
    .await
}

/// Inserts a session of this generation whose grace window ends in a minute.
async fn insert_within_window(store: &Store, generation: u64) -> Session {
    insert(store, |s| {
        s.generation = generation;
        s.rotated_at = s.rotated_at - GRACE + MINUTE;
    })
    .await
}

fn run(generation: u64, length: u32) -> Option<LateRetryRun> {
    Some(LateRetryRun { generation, length })
}

async fn evaluate(store: &Store, id: SessionId, generation: u64) -> RotationOutcome {
    let snapshot = store.load(id).await.unwrap().unwrap();
    let policy = RotationPolicy::default().with_grace(GRACE);
    snapshot.session.evaluate(
        &PresentedToken { generation, secret_hash: HASH },
        snapshot.now,
        &policy,
    )
}
