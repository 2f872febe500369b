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
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc
)]

mod ending;
mod keeping;
mod logging;
mod rotating;
mod starting;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    AdvanceRequest, ClientInfo, Cursor, EndBatch, EndReason, Heartbeat, LateRetryRequest,
    LateRetryRun, LogEntry, LogPage, NodeId, PresentedToken, Revocation, RevocationKey,
    RotationOutcome, RotationPolicy, RotationRejection, SecretHash, Session, SessionId,
    SessionLimit, SessionPosition, SessionRecord, SessionSelector, SessionStore, StoreError,
    Timestamp, TokenId,
};

#[doc(hidden)]
pub use self::ending::*;
#[doc(hidden)]
pub use self::keeping::*;
#[doc(hidden)]
pub use self::logging::*;
#[doc(hidden)]
pub use self::rotating::*;
#[doc(hidden)]
pub use self::starting::*;

/// Makes one `#[tokio::test]` of every check of the contract, for the store that the expression makes.
///
/// The crate that calls it needs tokio with `macros` and `rt-multi-thread` among its dev-dependencies.
#[macro_export]
macro_rules! store_conformance {
    ($make:expr) => {
        $crate::store_conformance! { @each $make;
            a_session_is_read_back_with_every_part
            texts_of_any_characters_come_back_as_they_were
            an_unknown_session_is_none
            a_taken_name_is_a_conflict_and_changes_nothing
            a_limit_that_refuses_counts_live_sessions_of_the_subject
            a_limit_that_ends_ends_the_oldest_and_never_the_new_one
            of_many_sign_ins_at_once_the_limit_stays
            a_limit_that_comes_late_is_reached_in_bounded_steps
            an_advance_moves_one_generation_and_slides_the_idle_expiry
            an_advance_never_slides_beyond_the_absolute_end
            an_advance_raises_and_never_lowers_access_until
            an_advance_that_does_not_apply_changes_nothing
            the_first_advance_of_a_session_needs_no_window_to_be_over
            an_advance_within_the_window_changes_nothing
            of_many_advances_at_once_one_wins
            rows_and_the_pure_rule_agree
            a_late_retry_opens_a_window_and_slides_nothing
            a_late_retry_needs_no_clock_to_catch_up
            a_late_retry_is_granted_once_a_generation
            late_retries_are_counted_over_generations_running
            a_late_retry_that_does_not_apply_changes_nothing
            of_many_late_retries_at_once_one_wins
            of_an_advance_and_a_late_retry_at_once_one_wins
            ending_appends_an_entry_until_the_last_access_token
            ending_twice_is_told_once
            ending_an_expired_session_still_revokes_its_access_tokens
            ending_by_a_presented_token_needs_the_sessions_secret
            ending_reaches_only_the_subjects_own_sessions
            ending_all_others_keeps_one
            many_sessions_are_ended_in_batches_the_oldest_first
            a_session_that_is_added_between_two_batches_goes_on
            a_batch_passes_over_what_has_ended_and_ends_what_has_expired
            of_batches_at_the_same_time_each_session_is_ended_by_one
            an_ended_session_never_advances_however_they_race
            the_list_shows_live_sessions_in_the_order_in_which_they_were_added
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
/// Long enough that no check is slower.
const GRACE: Duration = HOUR;
const MINUTE: Duration = Duration::from_secs(60);
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

/// A session that was last refreshed at `now` and is good for two hours idle, a day at most.
fn session(now: Timestamp, change: impl FnOnce(&mut SessionRecord)) -> Session {
    let mut parts = SessionRecord {
        id: SessionId::random().unwrap(),
        issuer: unique("https://issuer.example/"),
        subject: unique("subject"),
        secret_hash: HASH,
        generation: 0,
        created_at: now,
        rotated_at: now,
        idle_until: now + 2 * HOUR,
        expires_at: now + 24 * HOUR,
        access_until: now + Duration::from_secs(300),
        late_retry: None,
        ended: None,
        auth_time: now,
        client_id: "web".into(),
        scope: "read write".into(),
        claims: r#"{"name":"Älice \"A\" 😀"}"#.into(),
        client_info: ClientInfo::default(),
    };
    change(&mut parts);
    Session::from_record(parts)
}

async fn insert(store: &Store, change: impl FnOnce(&mut SessionRecord)) -> Session {
    let new = session(now(store).await, change);
    store.insert(&new, ANY).await.unwrap();
    new
}

async fn row(store: &Store, id: SessionId) -> Session {
    store.load(id).await.unwrap().expect("the session is there").session
}

fn step(session: &Session) -> AdvanceRequest {
    AdvanceRequest {
        id: session.id(),
        secret_hash: HASH,
        from_generation: session.generation(),
        grace: GRACE,
        idle: 3 * HOUR,
        access_until: session.record().access_until,
    }
}

fn retry(session: &Session) -> LateRetryRequest {
    LateRetryRequest {
        id: session.id(),
        secret_hash: HASH,
        generation: session.generation() - 1,
        grace: GRACE,
        max_running: 1,
        access_until: session.record().access_until,
    }
}

/// All live sessions of this session's owner.
async fn list(store: &Store, of: &Session) -> Vec<Session> {
    let page = store.list(&of.record().issuer, of.subject(), None, 1000).await.unwrap();
    assert_eq!(page.next, None);
    page.sessions
}

/// Ends all sessions of this session's owner but one, so many at a time.
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

/// A session of the same owner as another, started so much later.
fn beside(other: &Session, later: Duration) -> Session {
    let mut parts = other.clone().into_record();
    parts.id = SessionId::random().unwrap();
    parts.created_at = parts.created_at + later;
    Session::from_record(parts)
}

/// Two sessions of one subject, one of another subject, one of the same name at another issuer.
async fn neighbours(store: &Store) -> [Session; 4] {
    let first = insert(store, |_| {}).await;
    let (issuer, subject) = (first.record().issuer.clone(), first.record().subject.clone());
    let second = insert(store, |s| (s.issuer, s.subject) = (issuer.clone(), subject.clone())).await;
    let stranger = insert(store, |s| s.issuer = issuer.clone()).await;
    let namesake = insert(store, |s| s.subject = subject.clone()).await;
    [first, second, stranger, namesake]
}
