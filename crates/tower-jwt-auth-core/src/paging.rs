use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use crate::id::SessionId;
use crate::revocation::Revocation;
use crate::session::{EndReason, Session};

/// The position of a session in the order in which sessions were added to a store.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::SessionPosition;
///
/// let position = SessionPosition::new(42);
/// assert_eq!(position.to_string().parse(), Ok(position));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionPosition(u64);

impl SessionPosition {
    /// Creates the position of a number in the store's count.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number in the store's count.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SessionPosition {
    /// Writes the number, for example as a query parameter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SessionPosition {
    type Err = ParseIntError;

    /// Reads the number.
    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// A page of a subject's live sessions, in the order in which they were added.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{MemoryStore, Session, SessionStore, StoreError};
///
/// async fn all(store: &impl SessionStore, subject: &str) -> Result<Vec<Session>, StoreError> {
///     let (mut all, mut after) = (Vec::new(), None);
///     loop {
///         let page = store.list("https://shop.example", subject, after, 100).await?;
///         all.extend(page.sessions);
///         after = page.next;
///         if after.is_none() {
///             return Ok(all);
///         }
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// # assert!(all(&MemoryStore::new(), "alice").await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// The position after which the next page begins, or `None` at the end of the list.
    pub next: Option<SessionPosition>,
}

/// A request to end a bounded number of a subject's sessions.
///
/// # Examples
///
/// This ends all sessions of a subject:
///
/// ```
/// use tower_jwt_auth_core::{EndBatch, EndReason, MemoryStore, SessionStore, StoreError};
///
/// async fn end_all(store: &impl SessionStore, issuer: &str, subject: &str) -> Result<(), StoreError> {
///     let reason = EndReason::Logout;
///     let mut batch =
///         EndBatch { issuer, subject, keep: None, after: None, through: None, limit: 100, reason };
///     loop {
///         let ended = store.end_batch(&batch).await?;
///         (batch.after, batch.through) = (ended.next, Some(ended.through));
///         if batch.after.is_none() {
///             return Ok(());
///         }
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// # end_all(&MemoryStore::new(), "https://shop.example", "alice").await
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct EndBatch<'a> {
    /// The issuer of the subject's tokens.
    pub issuer: &'a str,
    /// The subject.
    pub subject: &'a str,
    /// A session that does not end.
    pub keep: Option<SessionId>,
    /// The position after which the batch begins: [`EndedBatch::next`] of the previous batch.
    pub after: Option<SessionPosition>,
    /// The position of the last session that ends: [`EndedBatch::through`] of the first batch.
    pub through: Option<SessionPosition>,
    /// The maximum number of sessions, at least 1 (0 counts as 1). A store may end fewer at a time.
    pub limit: usize,
    /// The reason for the end.
    pub reason: EndReason,
}

/// The result of [`SessionStore::end_batch`](crate::SessionStore::end_batch).
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{EndBatch, EndReason, MemoryStore, SessionStore, StoreError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let batch = EndBatch {
///     issuer: "https://shop.example",
///     subject: "alice",
///     keep: None,
///     after: None,
///     through: None,
///     limit: 100,
///     reason: EndReason::Logout,
/// };
/// let ended = MemoryStore::new().end_batch(&batch).await?;
/// assert!(ended.revocations.is_empty(), "the store is empty");
/// assert_eq!(ended.next, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedBatch {
    /// The log entry of each session that was ended.
    pub revocations: Vec<Revocation>,
    /// The position of the last session that the batches end, for [`EndBatch::through`].
    pub through: SessionPosition,
    /// The position after which the next batch begins, for [`EndBatch::after`], or `None` if all sessions have ended.
    pub next: Option<SessionPosition>,
}
