//! The status of a token after it was accepted.

use super::*;
use crate::claims::{self, ValidationRules};
use crate::identity::Identity;

const LEEWAY: Duration = Duration::from_secs(30);
/// The expiry of the tokens.
const EXP: Timestamp = Timestamp::from_unix_seconds(1_700_000_300);
const INSTANT: Duration = Duration::from_millis(1);

/// Returns an identity as of [`NOW`] with these additional claims.
fn identity(more: &str, leeway: Duration) -> Identity {
    let json = format!(
        r#"{{"iss":"i","aud":"a","sub":"alice","iat":{},"exp":{}{more}}}"#,
        NOW.unix_seconds(),
        EXP.unix_seconds()
    );
    let rules = ValidationRules {
        requires_client_id: false,
        requires_issued_at: false,
        requires_token_id: false,
        ..ValidationRules::rfc9068("a".into(), leeway)
    };
    let valid = claims::validate(claims::parse(&json).unwrap(), &json, &rules, NOW).unwrap();
    Identity::new("i".into(), &valid, None, (), leeway, NOW)
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

/// A log that cannot be followed, and that responds to a query at a given time.
struct Responding {
    clock: Arc<ManualClock>,
    until: Timestamp,
    response: fn() -> Result<bool, StoreError>,
}

#[async_trait]
impl RevocationLog for Responding {
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
        (self.response)()
    }
    async fn purge_log(&self, _: Duration, _: usize) -> Result<usize, StoreError> {
        Err(StoreError::unavailable("closed"))
    }
}

/// Returns the status by a list that must query the store, which responds at this time.
async fn queried(
    until: Timestamp,
    response: fn() -> Result<bool, StoreError>,
) -> Option<TokenStatus> {
    let clock = clock();
    let log = Responding { clock: clock.clone(), until, response };
    let list = follow(log, SyncOptions::default().with_clock(clock));
    list.status(&of_session()).await.ok()
}

#[tokio::test]
async fn an_ended_session_is_not_valid_again_once_its_entry_is_removed() {
    let clock = clock();
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let list = following(store.clone(), &clock).await;
    assert_eq!(list.status(&of_session()).await.unwrap(), TokenStatus::Valid);
    list.revoke(session_ended()).await.unwrap();
    assert_eq!(list.status(&of_session()).await.unwrap(), TokenStatus::Revoked);
    clock.set(EXP + LEEWAY);
    assert_eq!(
        list.status(&of_session()).await.unwrap(),
        TokenStatus::Revoked,
        "as long as the list has the entry"
    );
    clock.set(EXP + 20 * MINUTE);
    store.purge_log(Duration::ZERO, 100).await.unwrap();
    let list = following(store, &clock).await;
    assert_eq!(list.status(&of_session()).await.unwrap(), TokenStatus::Expired);
}

#[tokio::test]
async fn a_token_is_valid_until_its_expiry_plus_the_leeway_of_its_issuer() {
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
async fn without_a_log_the_system_clock_determines_the_expiry() {
    let list = RevocationList::none();
    assert_eq!(list.status(&of_session()).await.unwrap(), TokenStatus::Expired);
}

#[tokio::test]
async fn a_token_without_ids_is_revoked_with_its_subject() {
    let clock = clock();
    let list = following(MemoryStore::with_clock(clock.clone()), &clock).await;
    let issued_before = NOW + Duration::from_secs(1);
    let (issuer, sub) = ("i".into(), "alice".into());
    list.revoke(Revocation::Subject { issuer, sub, issued_before, until: EXP }).await.unwrap();
    assert_eq!(list.status(&identity("", LEEWAY)).await.unwrap(), TokenStatus::Revoked);
}

#[tokio::test]
async fn the_expiry_is_checked_after_the_query() {
    assert_eq!(queried(NOW, || Ok(false)).await, Some(TokenStatus::Valid));
    assert_eq!(queried(EXP + LEEWAY, || Ok(false)).await, Some(TokenStatus::Expired));
    assert_eq!(queried(EXP + LEEWAY, || Ok(true)).await, Some(TokenStatus::Revoked));
}

#[tokio::test]
async fn a_failed_query_does_not_hide_the_expiry() {
    let lost = || Err(StoreError::unavailable("closed"));
    assert_eq!(queried(EXP + LEEWAY - INSTANT, lost).await, None, "an unknown status is an error");
    assert_eq!(queried(EXP + LEEWAY, lost).await, Some(TokenStatus::Expired));
}
