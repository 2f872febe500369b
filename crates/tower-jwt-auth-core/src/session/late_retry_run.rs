/// A run of consecutive generations in which a late retry was granted.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth_core::{
///     LateRetryRequest, LateRetryRun, SecretHash, SessionId, SessionRecord, Timestamp,
/// };
///
/// let now = Timestamp::from_unix_seconds(1_700_000_000);
/// let (id, hash) = (SessionId::from_bytes([1; 16]), SecretHash::from_bytes([7; 32]));
/// let mut record = SessionRecord::new(id, "https://shop.example", "alice", hash, now);
/// record.generation = 5;
/// let request = LateRetryRequest {
///     id, secret_hash: hash, generation: 4, grace: Duration::from_secs(10), max_running: 1,
///     access_until: now + Duration::from_secs(300),
/// };
/// assert!(record.retry_late(&request, now + Duration::from_secs(60)));
/// assert_eq!(record.late_retry, Some(LateRetryRun { generation: 4, length: 1 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LateRetryRun {
    /// The generation that was retried last.
    pub generation: u64,
    /// The number of consecutive generations that were retried, at least 1.
    pub length: u32,
}

impl LateRetryRun {
    /// Returns the run after a late retry of this generation, or `None` if the generation has been retried before.
    pub(crate) fn after(run: Option<Self>, generation: u64) -> Option<Self> {
        match run {
            Some(run) if run.generation >= generation => None,
            Some(run) if run.generation.checked_add(1) == Some(generation) => {
                Some(Self { generation, length: run.length.saturating_add(1) })
            }
            _ => Some(Self { generation, length: 1 }),
        }
    }
}
