//! What the tests of single engines share.

use std::time::Duration;

use tower_jwt_auth_core::{
    Cursor, Device, LogEntry, LogPage, Revocation, RevocationLog, SecretHash, Session, SessionId,
    SessionParts, Timestamp, TokenId,
};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const HASH: SecretHash = SecretHash::from_bytes([7; 32]);

/// A session of this subject that is good for a day.
pub(crate) fn session(subject: &str) -> Session {
    let now = Timestamp::from(std::time::SystemTime::now());
    Session::from_parts(SessionParts {
        id: SessionId::random().unwrap(),
        issuer: "https://issuer.example".into(),
        subject: subject.into(),
        secret_hash: HASH,
        generation: 0,
        created_at: now,
        rotated_at: now,
        idle_until: now + 24 * HOUR,
        expires_at: now + 24 * HOUR,
        access_until: now + HOUR,
        late_retry: None,
        ended: None,
        auth_time: now,
        client_id: "web".into(),
        scope: String::new(),
        claims: "{}".into(),
        device: Device::default(),
    })
}

/// A revocation that no other test writes.
pub(crate) fn revocation() -> Revocation {
    Revocation::Token {
        issuer: "https://issuer.example".into(),
        jti: TokenId::random().unwrap().to_string(),
        until: Timestamp::from(std::time::SystemTime::now()) + HOUR,
    }
}

/// Appends a revocation.
pub(crate) async fn revoke(log: &impl RevocationLog) -> Revocation {
    let revocation = revocation();
    log.append(&[LogEntry::Revocation(revocation.clone())]).await.unwrap();
    revocation
}

/// All that there is after the cursor, and where it ends.
pub(crate) async fn read(
    log: &impl RevocationLog,
    mut after: Option<Cursor>,
) -> (Vec<Revocation>, Cursor) {
    let mut all = Vec::new();
    loop {
        let page = log.read(after.as_ref(), 100).await.unwrap();
        let LogPage::Entries { entries, next, more } = page else { panic!("the cursor is lost") };
        all.extend(entries.into_iter().filter_map(|entry| match entry {
            LogEntry::Revocation(revocation) => Some(revocation),
            LogEntry::Heartbeat(_) => None,
        }));
        if !more {
            return (all, next);
        }
        after = Some(next);
    }
}

pub(crate) async fn is_lost(log: &impl RevocationLog, cursor: &Cursor) -> bool {
    log.read(Some(cursor), 100).await.unwrap() == LogPage::CursorLost
}

/// Waits, not for ever, until this is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..1000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never comes to this: {what}");
}

/// The text of an error and of all that caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
