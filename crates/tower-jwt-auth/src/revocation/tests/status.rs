//! What has become of an identity.

use tower_jwt_auth_core::ManualClock;

use super::*;
use crate::claims;
use crate::identity::Identity;

const LEEWAY: Duration = Duration::from_secs(30);
/// When the tokens expire.
const EXP: Timestamp = Timestamp::from_unix_seconds(1_700_000_300);
const INSTANT: Duration = Duration::from_millis(1);

/// An identity of second [`NOW`] with these further claims.
fn identity(more: &str, leeway: Duration) -> Identity {
    let json = format!(
        r#"{{"iss":"i","sub":"alice","iat":{},"exp":{}{more}}}"#,
        NOW.unix_seconds(),
        EXP.unix_seconds()
    );
    let (registered, ()) = claims::parse(&json).unwrap();
    Identity::new("i".into(), &registered, (), leeway, NOW)
}

fn of_session() -> Identity {
    identity(r#","jti":"j","sid":"s""#, LEEWAY)
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

fn session_ended() -> Revocation {
    Revocation::Session { issuer: "i".into(), sid: "s".into(), until: EXP }
}

async fn following(log: impl RevocationLog, clock: &Arc<ManualClock>) -> RevocationList {
    let list = follow(log, SyncOptions::default().with_clock(clock.clone()));
    list.ready().await;
    list
}

/// A log that nobody can follow, whose answer takes until a time.
struct Answering {
    clock: Arc<ManualClock>,
    until: Timestamp,
    answer: fn() -> Result<bool, StoreError>,
}

#[async_trait]
impl RevocationLog for Answering {
    async fn append(&self, _: &[LogEntry]) -> Result<(), StoreError> {
        Err(StoreError::unavailable("closed"))
    }
    async fn read(&self, _: Option<&Cursor>, _: usize) -> Result<LogPage, StoreError> {
        Err(StoreError::unavailable("closed"))
    }
    async fn changed(&self, _: Option<&Cursor>) -> Result<(), StoreError> {
        Err(StoreError::unavailable("closed"))
    }
    async fn is_revoked(&self, _: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        self.clock.set(self.until);
        (self.answer)()
    }
    async fn purge_log(&self, _: Duration, _: usize) -> Result<usize, StoreError> {
        Err(StoreError::unavailable("closed"))
    }
}

/// The status by a list that has to ask, where the answer comes at this time.
async fn asked(until: Timestamp, answer: fn() -> Result<bool, StoreError>) -> Option<TokenStatus> {
    let clock = clock();
    let log = Answering { clock: clock.clone(), until, answer };
    let list = follow(log, SyncOptions::default().with_clock(clock));
    list.status(&of_session()).await.ok()
}

#[tokio::test]
async fn a_session_that_was_ended_is_not_valid_again_once_its_entry_is_gone() {
    let clock = clock();
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let list = following(store.clone(), &clock).await;
    assert_eq!(list.status(&of_session()).await.unwrap(), TokenStatus::Valid);
    list.revoke(session_ended()).await.unwrap();
    assert_eq!(list.status(&of_session()).await.unwrap(), TokenStatus::Revoked);
    clock.set(EXP + LEEWAY);
    assert_eq!(list.status(&of_session()).await.unwrap(), TokenStatus::Revoked, "as long as known");
    clock.set(EXP + 20 * MINUTE);
    store.purge_log(Duration::ZERO, 100).await.unwrap();
    let list = following(store, &clock).await;
    assert_eq!(list.status(&of_session()).await.unwrap(), TokenStatus::Expired);
}

#[tokio::test]
async fn an_identity_is_valid_until_its_expiry_and_the_leeway_of_its_issuer() {
    let clock = clock();
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let lists =
        [RevocationList::none_with_clock(clock.clone()), following(store.clone(), &clock).await];
    for list in lists {
        for leeway in [Duration::ZERO, LEEWAY] {
            for more in ["", r#","jti":"j","sid":"s""#] {
                let identity = identity(more, leeway);
                clock.set(EXP + leeway - INSTANT);
                assert_eq!(list.status(&identity).await.unwrap(), TokenStatus::Valid);
                clock.set(EXP + leeway);
                assert_eq!(list.status(&identity).await.unwrap(), TokenStatus::Expired);
            }
        }
    }
}

#[tokio::test]
async fn without_a_log_expiry_goes_by_the_system_clock() {
    let list = RevocationList::none();
    assert_eq!(list.status(&of_session()).await.unwrap(), TokenStatus::Expired);
}

#[tokio::test]
async fn an_identity_that_has_no_names_is_revoked_with_its_subject() {
    let clock = clock();
    let list = following(MemoryStore::with_clock(clock.clone()), &clock).await;
    let issued_before = NOW + Duration::from_secs(1);
    let (issuer, sub) = ("i".into(), "alice".into());
    list.revoke(Revocation::Subject { issuer, sub, issued_before, until: EXP }).await.unwrap();
    assert_eq!(list.status(&identity("", LEEWAY)).await.unwrap(), TokenStatus::Revoked);
}

#[tokio::test]
async fn an_answer_that_waited_for_the_store_is_judged_by_the_time_after_it() {
    assert_eq!(asked(NOW, || Ok(false)).await, Some(TokenStatus::Valid));
    assert_eq!(asked(EXP + LEEWAY, || Ok(false)).await, Some(TokenStatus::Expired));
    assert_eq!(asked(EXP + LEEWAY, || Ok(true)).await, Some(TokenStatus::Revoked));
}

#[tokio::test]
async fn a_store_that_does_not_answer_hides_no_expiry() {
    let lost = || Err(StoreError::unavailable("closed"));
    assert_eq!(asked(EXP + LEEWAY - INSTANT, lost).await, None, "what cannot be told is an error");
    assert_eq!(asked(EXP + LEEWAY, lost).await, Some(TokenStatus::Expired));
}
