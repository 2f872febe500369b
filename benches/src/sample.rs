//! Sessions and revocations of realistic size.

use std::time::Duration;

use tower_jwt_auth::sessions::{ClientInfo, Session, SessionId};
use tower_jwt_auth::store::{Clock as _, Revocation, SystemClock};
use tower_jwt_auth::store::{LogEntry, SecretHash, SessionRecord};
use tower_jwt_auth::{SignIn, Timestamp};
use tower_jwt_auth_tests::Profile;

use crate::BoxError;

pub(crate) const ISSUER: &str = "https://login.shop.example";
pub(crate) const AUDIENCE: &str = "https://api.shop.example";
pub(crate) const ACCESS_LIFETIME: Duration = Duration::from_secs(300);
const SCOPE: &str = "orders:read orders:write";
const SECRET_HASH: SecretHash = SecretHash::from_bytes([7; 32]);
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn now() -> Timestamp {
    SystemClock::new().now()
}

pub(crate) fn subject(number: usize) -> String {
    format!("user-{number}")
}

fn client_info() -> ClientInfo {
    let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    ClientInfo::default().with_user_agent(browser).with_address("192.0.2.7")
}

/// Returns a sign-in of the subject.
pub(crate) fn sign_in(subject: &str) -> SignIn<Profile> {
    let profile = Profile { name: subject.to_owned() };
    SignIn::new(subject).with_claims(profile).with_scope(SCOPE).with_client_info(client_info())
}

/// Creates a session of the subject that starts now.
pub(crate) fn session(subject: &str) -> Result<Session, BoxError> {
    let now = now();
    Ok(Session::from_record(SessionRecord {
        id: SessionId::random()?,
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        secret_hash: SECRET_HASH,
        generation: 0,
        created_at: now,
        rotated_at: now,
        idle_until: now + 30 * DAY,
        expires_at: now + 90 * DAY,
        access_until: now + ACCESS_LIFETIME,
        late_retry: None,
        ended: None,
        auth_time: now,
        client_id: AUDIENCE.to_owned(),
        scope: SCOPE.to_owned(),
        claims: format!(r#"{{"name":"{subject}"}}"#),
        client_info: client_info(),
    }))
}

/// Creates the log entry of a session that was ended. The entry expires at `until`.
pub(crate) fn log_entry(until: Timestamp) -> Result<LogEntry, BoxError> {
    let sid = SessionId::random()?.to_string();
    Ok(LogEntry::Revocation(Revocation::Session { issuer: ISSUER.to_owned(), sid, until }))
}
