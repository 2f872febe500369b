use super::client_info::ClientInfo;
use super::end_reason::Ended;
use super::late_retry_run::LateRetryRun;
use super::secret_hash::SecretHash;
use crate::id::SessionId;
use crate::revocation::Revocation;
use crate::rotation_policy::RotationPolicy;
use crate::time::Timestamp;

/// Everything that a store keeps of a session.
///
/// The struct is exhaustive on purpose: a store that misses a field does not compile. A store that reads a session
/// back names every field. [`new`](Self::new) is for a session that starts, and for tests.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth_core::{SecretHash, Session, SessionId, SessionRecord, Timestamp};
///
/// let now = Timestamp::from_unix_seconds(1_700_000_000);
/// let (id, hash) = (SessionId::from_bytes([1; 16]), SecretHash::from_bytes([7; 32]));
/// let session = Session::from_record(SessionRecord {
///     scope: "read write".into(),
///     idle_until: now + Duration::from_secs(3600),
///     ..SessionRecord::new(id, "https://shop.example", "alice", hash, now)
/// });
/// assert!(session.is_live(now));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The ID of the session, unique in the store.
    pub id: SessionId,
    /// The issuer of the session's tokens. Equal subjects of different issuers are unrelated.
    pub issuer: String,
    /// The user: the `sub` claim of the session's tokens.
    pub subject: String,
    /// The hash of the session's secret.
    pub secret_hash: SecretHash,
    /// The number of rotations of the refresh token.
    pub generation: u64,
    /// The time at which the session started.
    pub created_at: Timestamp,
    /// The time at which the current generation began, or at which a late retry was granted in it.
    pub rotated_at: Timestamp,
    /// The time at which the session ends unless it is refreshed before.
    pub idle_until: Timestamp,
    /// The time at which the session ends however often it is refreshed.
    pub expires_at: Timestamp,
    /// The latest `exp` of any access token of the session.
    pub access_until: Timestamp,
    /// The latest run of late retries.
    pub late_retry: Option<LateRetryRun>,
    /// The end of the session, if it has been ended.
    pub ended: Option<Ended>,
    /// The time at which the user last authenticated.
    pub auth_time: Timestamp,
    /// The `client_id` of the session's access tokens (RFC 9068 §2.2).
    pub client_id: String,
    /// The scope of the session's access tokens, space-separated (RFC 6749 §3.3). It may be empty.
    pub scope: String,
    /// The claims of the application: a JSON object.
    pub claims: String,
    /// The client that started the session.
    pub client_info: ClientInfo,
}

impl SessionRecord {
    /// Creates the record of a session that starts at `now` after an authentication at the same time.
    ///
    /// The session lives as long as [`RotationPolicy::default`] allows. No access token has been issued for it
    /// (`access_until` is `now`). Client ID and scope are empty, and there are no claims of the application.
    pub fn new(
        id: SessionId,
        issuer: impl Into<String>,
        subject: impl Into<String>,
        secret_hash: SecretHash,
        now: Timestamp,
    ) -> Self {
        let policy = RotationPolicy::default();
        Self {
            id,
            issuer: issuer.into(),
            subject: subject.into(),
            secret_hash,
            generation: 0,
            created_at: now,
            rotated_at: now,
            idle_until: now + policy.idle(),
            expires_at: now + policy.absolute(),
            access_until: now,
            late_retry: None,
            ended: None,
            auth_time: now,
            client_id: String::new(),
            scope: String::new(),
            claims: "{}".to_owned(),
            client_info: ClientInfo::default(),
        }
    }

    /// Returns the time at which the session ends unless it is refreshed before.
    pub fn valid_until(&self) -> Timestamp {
        self.idle_until.min(self.expires_at)
    }

    /// Returns whether the session can be refreshed at this time: it has not ended, is not idle and has not expired.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.valid_until()
    }

    /// Returns the log entry for the end of the session. It is valid until the last access token has expired.
    pub fn revocation(&self) -> Revocation {
        Revocation::Session {
            issuer: self.issuer.clone(),
            sid: self.id.to_string(),
            until: self.access_until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_session_lives_as_long_as_the_default_policy_allows() {
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let (id, hash) = (SessionId::from_bytes([1; 16]), SecretHash::from_bytes([7; 32]));
        let record = SessionRecord::new(id, "issuer", "alice", hash, now);
        let policy = RotationPolicy::default();
        assert!(record.is_live(now));
        assert_eq!(record.valid_until(), now + policy.idle());
        assert_eq!(record.expires_at, now + policy.absolute());
        assert_eq!(record.revocation().until(), now);
    }
}
