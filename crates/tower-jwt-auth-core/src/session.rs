use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;

use crate::{LateRetryRun, ParseNameError, Revocation, SessionId, Timestamp};

/// SHA-256 of the 128 random bits that a session's refresh tokens carry.
///
/// The store keeps the hash, never the bits: a stolen database makes no token.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of these bytes, as it was computed or as a store kept it.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store to keep.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    /// Takes the same time wherever the two differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// Where a session was started from, for its owner to recognise it by. Nothing is decided by it.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::ClientInfo;
///
/// let client = ClientInfo::default().with_user_agent("Mozilla/5.0").with_address("192.0.2.7");
/// assert_eq!(client.user_agent(), Some("Mozilla/5.0"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientInfo {
    user_agent: Option<String>,
    address: Option<String>,
}

impl ClientInfo {
    /// The longest text that is kept of a user agent or address, in bytes; what is longer is cut.
    pub const MAX_LENGTH: usize = 512;

    /// What the client calls itself (RFC 9110 §10.1.5).
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(cut(user_agent.into()));
        self
    }

    /// The address of the client, as the application knows it.
    #[must_use]
    pub fn with_address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(cut(address.into()));
        self
    }

    /// What the client called itself.
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// The address of the client.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }
}

fn cut(mut text: String) -> String {
    let mut end = text.len().min(ClientInfo::MAX_LENGTH);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Why a session was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// Its owner signed out, of this session or of several.
    Logout,
    /// A spent refresh token was presented again.
    Reuse,
    /// A new sign-in on the same client took its place.
    Replaced,
    /// The subject had more sessions than allowed.
    Limit,
    /// The application refused to renew it.
    Refused,
}

impl EndReason {
    /// The name to store and to log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Reuse => "reuse",
            Self::Replaced => "replaced",
            Self::Limit => "limit",
            Self::Refused => "refused",
        }
    }
}

impl FromStr for EndReason {
    type Err = ParseNameError;

    /// Reads a name as [`as_str`](Self::as_str) gives it.
    fn from_str(name: &str) -> Result<Self, ParseNameError> {
        [Self::Logout, Self::Reuse, Self::Replaced, Self::Limit, Self::Refused]
            .into_iter()
            .find(|reason| reason.as_str() == name)
            .ok_or(ParseNameError)
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When and why a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When, by the store's clock.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
}

/// How many live sessions a subject may have.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::SessionLimit;
///
/// assert_eq!(SessionLimit::default().max(), Some(100));
/// assert_eq!(SessionLimit::none().max(), None);
/// assert_eq!(SessionLimit::end_oldest(5).max(), Some(5));
/// assert!(SessionLimit::reject_new(5).rejects_new());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct SessionLimit {
    max: Option<usize>,
    refuses: bool,
}

impl Default for SessionLimit {
    /// 100 sessions, of which the oldest ends. Subjects that many share (a guest account, a job that signs in again
    /// and again) may need more.
    fn default() -> Self {
        Self::end_oldest(100)
    }
}

impl SessionLimit {
    /// How many sessions a sign-in ends at most.
    pub const MAX_ENDED: usize = 100;

    /// Any number.
    pub const fn none() -> Self {
        Self { max: None, refuses: false }
    }

    /// At most this many, and at least the new one: a sign-in ends the oldest ones beyond that.
    pub const fn end_oldest(max: usize) -> Self {
        Self { max: Some(max), refuses: false }
    }

    /// At most this many: a sign-in beyond that is refused.
    ///
    /// A session whose token was lost counts until it has been idle for too long; its owner cannot sign in
    /// for that long if there are no others to end.
    pub const fn reject_new(max: usize) -> Self {
        Self { max: Some(max), refuses: true }
    }

    /// The number; `None` for any.
    pub const fn max(self) -> Option<usize> {
        self.max
    }

    /// Whether a sign-in beyond the number is refused; otherwise the oldest sessions end.
    pub const fn rejects_new(self) -> bool {
        self.refuses
    }

    /// Returns how many live sessions a store has to count, at most, to know what a sign-in does.
    pub fn max_counted(self) -> usize {
        self.max.map_or(0, |max| max.saturating_add(Self::MAX_ENDED))
    }

    /// Returns by how many sessions the limit is exceeded once one is added to this many live ones. If by any, a
    /// sign-in is refused, or ends as many of the oldest, [`MAX_ENDED`](Self::MAX_ENDED) at most.
    pub fn surplus(self, live: usize) -> usize {
        self.max.map_or(0, |max| live.saturating_add(1).saturating_sub(max))
    }
}

/// Everything that a store keeps of a session.
///
/// The struct is complete on purpose: a store that forgets a part does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The name of the session, unique in the store.
    pub id: SessionId,
    /// The issuer whose session this is; subjects of different issuers have nothing to do with each other.
    pub issuer: String,
    /// The user, as the `sub` claim names them.
    pub subject: String,
    /// The hash of the session's secret.
    pub secret_hash: SecretHash,
    /// How many times the refresh token has been rotated.
    pub generation: u64,
    /// When the session started.
    pub created_at: Timestamp,
    /// When the current generation came to be, or a late retry was granted in it.
    pub rotated_at: Timestamp,
    /// When the session ends unless it is refreshed before.
    pub idle_until: Timestamp,
    /// When the session ends in any case.
    pub expires_at: Timestamp,
    /// The latest `exp` of any access token made for the session.
    pub access_until: Timestamp,
    /// The last late retry, and in how many generations running there was one.
    pub late_retry: Option<LateRetryRun>,
    /// Set once the session has been ended.
    pub ended: Option<Ended>,
    /// When the user last proved who they are.
    pub auth_time: Timestamp,
    /// The `client_id` of the session's access tokens (RFC 9068 §2.2).
    pub client_id: String,
    /// The scope of the session's access tokens, space-separated (RFC 6749 §3.3); empty for none.
    pub scope: String,
    /// The application's own claims: a JSON object.
    pub claims: String,
    /// Where the session was started from.
    pub client_info: ClientInfo,
}

/// One sign-in on one device, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    record: SessionRecord,
}

impl Session {
    /// The session that these parts make up.
    pub fn from_record(record: SessionRecord) -> Self {
        Self { record }
    }

    /// All parts, for a store to keep.
    pub fn into_record(self) -> SessionRecord {
        self.record
    }

    /// All parts, to read.
    pub fn record(&self) -> &SessionRecord {
        &self.record
    }

    /// The name of the session: the `sid` of its tokens.
    pub fn id(&self) -> SessionId {
        self.record.id
    }

    /// The user, as the `sub` claim names them.
    pub fn subject(&self) -> &str {
        &self.record.subject
    }

    /// How many times the refresh token has been rotated.
    pub fn generation(&self) -> u64 {
        self.record.generation
    }

    /// When the session started.
    pub fn created_at(&self) -> Timestamp {
        self.record.created_at
    }

    /// When the session last rotated or granted a late retry, or when it started. Refreshes within the grace window
    /// after that do not count.
    pub fn last_seen(&self) -> Timestamp {
        self.record.rotated_at
    }

    /// When the session ends if it is not refreshed before.
    pub fn valid_until(&self) -> Timestamp {
        self.record.valid_until()
    }

    /// When the user last proved who they are.
    pub fn auth_time(&self) -> Timestamp {
        self.record.auth_time
    }

    /// The scope of the session's access tokens, space-separated; empty for none.
    pub fn scope(&self) -> &str {
        &self.record.scope
    }

    /// Where the session was started from.
    pub fn client_info(&self) -> &ClientInfo {
        &self.record.client_info
    }

    /// Whether the session can still be refreshed at this time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.record.is_live(now)
    }
}

impl SessionRecord {
    /// When the session ends if it is not refreshed before.
    pub fn valid_until(&self) -> Timestamp {
        self.idle_until.min(self.expires_at)
    }

    /// Whether the session can still be refreshed at this time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.valid_until()
    }

    /// The log entry for the end of the session: until its last access token has expired.
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
    fn debug_shows_no_hash() {
        assert_eq!(format!("{:?}", SecretHash::from_bytes([7; 32])), "SecretHash(..)");
    }

    #[test]
    fn long_device_texts_are_cut_at_a_character() {
        let client = ClientInfo::default().with_user_agent("é".repeat(400));
        assert_eq!(client.user_agent().map(str::len), Some(512));
    }

    #[test]
    fn end_reasons_have_names_that_lead_back() {
        for reason in [
            EndReason::Logout,
            EndReason::Reuse,
            EndReason::Replaced,
            EndReason::Limit,
            EndReason::Refused,
        ] {
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
        assert_eq!("whim".parse::<EndReason>(), Err(ParseNameError));
    }
}
