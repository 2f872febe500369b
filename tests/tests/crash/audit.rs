use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_jwt_auth::store::{LogEntry, LogPage, RevocationKey, Session};
use tower_jwt_auth::store::{Revocation, SessionStore, StoreError};
use tower_jwt_auth_tests::ISSUER;

use crate::history::{SharedHistory, lock};

/// The time within which a store must answer once its server runs again.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Repeats a call until the store is available.
pub(crate) async fn answer<T>(call: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(error @ StoreError::Unavailable(_)) => {
                assert!(Instant::now() < deadline, "the store stays unavailable: {error:?}");
                sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Compares the rows and the log with the responses to clients. No call may be in progress.
pub(crate) async fn audit(store: &dyn SessionStore, history: &SharedHistory) {
    let sids: Vec<String> = lock(history).sessions.keys().cloned().collect();
    let mut ended = BTreeSet::new();
    for sid in &sids {
        let row = load(store, sid).await;
        if row.as_ref().is_some_and(|row| row.record().ended.is_some()) {
            ended.insert(sid.clone());
        }
        compare(history, sid, row.as_ref());
    }
    let logged = log(store).await;
    for sid in ended.difference(&logged) {
        lock(history).wrong(sid, "it has ended, and the log has no entry");
    }
    // A session whose sign-in was not answered may also have ended.
    for sid in logged.difference(&ended) {
        let row = load(store, sid).await;
        if row.is_none_or(|row| row.record().ended.is_none()) {
            lock(history).wrong(sid, "it is in the log and has not ended");
        }
    }
    for sid in &ended {
        let key = [RevocationKey::Session { issuer: ISSUER, sid }];
        if !answer(async || store.is_revoked(&key).await).await {
            lock(history).wrong(sid, "it has ended, and the store says that it is not revoked");
        }
    }
}

/// Compares one row with the responses.
fn compare(history: &SharedHistory, sid: &str, row: Option<&Session>) {
    let mut history = lock(history);
    let known = &history.sessions[sid];
    let handed_out = known.generation();
    let (leaving, logged_out) = (known.leaving, known.logged_out);
    let Some(row) = row else { return history.wrong(sid, "its row is gone") };
    if row.generation() == handed_out + 1 {
        history.counts.unanswered.insert((sid.to_owned(), row.generation()));
    } else if row.generation() != handed_out {
        let wrong =
            format!("the row has generation {}, and {handed_out} was issued", row.generation());
        history.wrong(sid, &wrong);
    }
    match row.record().ended {
        None if logged_out => history.wrong(sid, "its logout was acknowledged and is undone"),
        Some(_) if !leaving => history.wrong(sid, "it has ended without a logout"),
        _ => {}
    }
}

async fn load(store: &dyn SessionStore, sid: &str) -> Option<Session> {
    let id = sid.parse().unwrap();
    answer(async || store.load(id).await).await.map(|snapshot| snapshot.session)
}

/// Returns the ids of all sessions in the log.
async fn log(store: &dyn SessionStore) -> BTreeSet<String> {
    let mut sids = BTreeSet::new();
    let mut cursor = None;
    loop {
        let page = answer(async || store.read(cursor.as_ref(), 1000).await).await;
        let LogPage::Entries { entries, next, more } = page else { panic!("the cursor is lost") };
        for entry in entries {
            if let LogEntry::Revocation(Revocation::Session { issuer, sid, .. }) = entry {
                assert_eq!(issuer, ISSUER);
                sids.insert(sid);
            }
        }
        if !more {
            return sids;
        }
        cursor = Some(next);
    }
}
