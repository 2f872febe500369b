//! Helpers that the tests of the engines share.

use std::time::Duration;

use tower_jwt_auth_core::{
    AdvanceRequest, ClientInfo, Cursor, EndBatch, EndReason, Heartbeat, LateRetryRequest,
    LateRetryRun, LogEntry, LogPage, NodeId, Revocation, RevocationKey, RevocationLog, SecretHash,
    Session, SessionId, SessionLimit, SessionRecord, SessionSelector, SessionStore, StoreError,
    Timestamp, TokenId,
};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// The issuer of all sessions.
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const HASH: SecretHash = SecretHash::from_bytes([7; 32]);

/// Returns a session of this subject that lasts for a day.
pub(crate) fn session(subject: &str) -> Session {
    let now = Timestamp::from(std::time::SystemTime::now());
    Session::from_record(SessionRecord {
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
        client_info: ClientInfo::default(),
    })
}

/// Returns the request that advances this session.
pub(crate) fn step(session: &Session) -> AdvanceRequest {
    AdvanceRequest {
        id: session.id(),
        secret_hash: HASH,
        from_generation: session.generation(),
        grace: Duration::ZERO,
        idle: HOUR,
        access_until: session.record().access_until,
    }
}

/// Returns a revocation that no other test writes.
pub(crate) fn revocation() -> Revocation {
    Revocation::Token {
        issuer: "https://issuer.example".into(),
        jti: TokenId::random().unwrap().to_string(),
        until: Timestamp::from(std::time::SystemTime::now()) + HOUR,
    }
}

/// Appends a new revocation and returns it.
pub(crate) async fn revoke(log: &impl RevocationLog) -> Revocation {
    let revocation = revocation();
    log.append(&[LogEntry::Revocation(revocation.clone())]).await.unwrap();
    revocation
}

/// Returns all revocations after the cursor, and the cursor of the end.
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

/// Checks that `after_restore` ends all sessions. Nothing else may use the store.
pub(crate) async fn assert_restore_ends_all(
    store: &impl SessionStore,
    restore: impl AsyncFn() -> usize,
) {
    let any = SessionLimit::none();
    let live = [session("alice"), session("bob")];
    for new in &live {
        store.insert(new, any).await.unwrap();
    }
    // The session was in use when the backup was made, long ago. Its newest token was issued after the backup.
    let mut parts = session("dave").into_record();
    parts.rotated_at = parts.rotated_at - 20 * HOUR;
    parts.access_until = parts.rotated_at + HOUR;
    let used = Session::from_record(parts);
    store.insert(&used, any).await.unwrap();
    let over = session("carol");
    store.insert(&over, any).await.unwrap();
    store.end(&SessionSelector::ById { id: over.id() }, EndReason::Reuse).await.unwrap();
    let before = store.load(over.id()).await.unwrap().unwrap().session;
    let (_, end) = read(store, None).await;

    assert_eq!(restore().await, 3);
    assert!(is_lost(store, &end).await);
    let (log, _) = read(store, None).await;
    for ended in [&live[0], &live[1], &used] {
        let row = store.load(ended.id()).await.unwrap().unwrap().session;
        assert!(row.record().ended.is_some());
        assert!(log.contains(&row.record().revocation()));
    }
    let row = store.load(used.id()).await.unwrap().unwrap();
    let left = row.session.record().access_until.since(row.now);
    assert!(left > HOUR - Duration::from_secs(60) && left <= HOUR, "{left:?}");
    let after = store.load(over.id()).await.unwrap().unwrap().session;
    assert_eq!(after, before, "an ended session must not change");
    assert_eq!(restore().await, 0);
}

/// Returns the statements that add a session, a revocation and a heartbeat to tables of version 1 or 2. Version 1 did
/// not count late retries, and the log of both versions had the id of the target in the column `name`.
pub(crate) fn rows_of_version_1(secret_hash: &str) -> String {
    format!(
        "INSERT INTO tower_jwt_auth_sessions (\
             id, issuer, subject, secret_hash, generation, created_at, rotated_at, idle_until, \
             expires_at, access_until, late_retry, auth_time, client_id, scope, claims\
         ) VALUES (\
             'CQkJCQkJCQkJCQkJCQkJCQ', 'https://issuer.example', 'alice', {secret_hash}, 5, 0, 0, \
             9000000000000, 9000000000000, 0, 3, 0, 'web', '', '{{}}'); \
         INSERT INTO tower_jwt_auth_log (kind, issuer, name, issued_before, beat, until) VALUES \
             ('subject', 'https://issuer.example', 'alice', 1000, NULL, 9000000000000), \
             ('heartbeat', '', 'CQkJCQkJCQkJCQkJCQkJCQ', NULL, 4, 2000)"
    )
}

/// Checks that those rows are found after the migration, that the session's late retry counts as one, and that the
/// session and the log can be continued.
pub(crate) async fn assert_works_after_migration(store: &impl SessionStore) {
    let at = Timestamp::from_unix_millis;
    let subject = |issued_at| RevocationKey::Subject {
        issuer: ISSUER,
        sub: "alice",
        issued_at: at(issued_at),
    };
    assert!(store.is_revoked(&[subject(999)]).await.unwrap());
    assert!(!store.is_revoked(&[subject(1000)]).await.unwrap());
    let revocation = Revocation::Subject {
        issuer: ISSUER.into(),
        sub: "alice".into(),
        issued_before: at(1000),
        until: at(9_000_000_000_000),
    };
    let node = NodeId::from_bytes([9; 16]);
    let beat = |beat| LogEntry::Heartbeat(Heartbeat { node, beat, at: at(2000) });
    let LogPage::Entries { entries, next, .. } = store.read(None, 100).await.unwrap() else {
        panic!("the cursor is lost")
    };
    assert_eq!(entries, [LogEntry::Revocation(revocation), beat(4)]);
    store.append(&[beat(5)]).await.unwrap();
    let LogPage::Entries { entries, .. } = store.read(Some(&next), 100).await.unwrap() else {
        panic!("the cursor is lost")
    };
    assert_eq!(entries, [beat(5)]);
    assert_eq!(store.purge_log(Duration::ZERO, 100).await.unwrap(), 1, "one heartbeat is left");

    let id = SessionId::from_bytes([9; 16]);
    let session = store.load(id).await.unwrap().unwrap().session;
    let one = LateRetryRun { generation: 3, length: 1 };
    assert_eq!((session.subject(), session.record().late_retry), ("alice", Some(one)));
    let retry = LateRetryRequest {
        id,
        secret_hash: HASH,
        generation: 4,
        grace: Duration::ZERO,
        max_running: 1,
        access_until: Timestamp::UNIX_EPOCH,
    };
    assert!(
        store.late_retry(&retry).await.unwrap().is_none(),
        "it is the second consecutive late retry"
    );
    let retry = LateRetryRequest { max_running: 2, ..retry };
    let retried = store.late_retry(&retry).await.unwrap().unwrap();
    let two = LateRetryRun { generation: 4, length: 2 };
    assert_eq!(retried.record().late_retry, Some(two));
    assert_eq!(store.advance(&step(&retried)).await.unwrap().unwrap().generation(), 6);
}

/// Returns all live sessions of a subject.
pub(crate) async fn list(
    store: &dyn SessionStore,
    subject: &str,
) -> Result<Vec<Session>, StoreError> {
    Ok(store.list(ISSUER, subject, None, 1000).await?.sessions)
}

/// Ends all sessions of a subject, in batches of the size that the store chooses.
pub(crate) async fn end_all(
    store: &dyn SessionStore,
    subject: &str,
) -> Result<Vec<Revocation>, StoreError> {
    let mut batch = EndBatch {
        issuer: ISSUER,
        subject,
        keep: None,
        after: None,
        through: None,
        limit: 1000,
        reason: EndReason::Logout,
    };
    let mut all = Vec::new();
    loop {
        let ended = store.end_batch(&batch).await?;
        all.extend(ended.revocations);
        (batch.after, batch.through) = (ended.next, Some(ended.through));
        if batch.after.is_none() {
            return Ok(all);
        }
    }
}
