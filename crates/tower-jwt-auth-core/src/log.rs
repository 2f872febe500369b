use std::fmt;

use crate::id::NodeId;
use crate::revocation::Revocation;
use crate::time::Timestamp;

/// A sign of life that a node appends to the log and expects to read back.
///
/// Reads alone prove nothing: an isolated former primary answers them as if it were current.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{
///     Clock, Heartbeat, LogEntry, LogPage, MemoryStore, NodeId, RevocationLog, SystemClock,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let heartbeat = Heartbeat { node: NodeId::random()?, beat: 1, at: SystemClock::new().now() };
/// store.append(&[LogEntry::Heartbeat(heartbeat)]).await?;
///
/// let LogPage::Entries { entries, .. } = store.read(None, 100).await? else { unreachable!() };
/// assert_eq!(entries, [LogEntry::Heartbeat(heartbeat)]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Heartbeat {
    /// The node that wrote the heartbeat.
    pub node: NodeId,
    /// The node's own count of heartbeats.
    pub beat: u64,
    /// The time by the node's clock at which it wrote the heartbeat. From then on the entry may be purged.
    pub at: Timestamp,
}

/// An entry of the revocation log.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{LogEntry, Revocation, Timestamp};
///
/// let until = Timestamp::from_unix_seconds(1_700_000_300);
/// let revocation = Revocation::Token { issuer: "https://shop.example".into(), jti: "1".into(), until };
/// assert_eq!(LogEntry::Revocation(revocation).until(), until);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogEntry {
    /// The entry is a revocation.
    Revocation(Revocation),
    /// The entry is a node's heartbeat.
    Heartbeat(Heartbeat),
}

impl LogEntry {
    /// Returns the time from which no node needs the entry. Whoever purges the log adds the maximum leeway.
    pub fn until(&self) -> Timestamp {
        match self {
            Self::Revocation(revocation) => revocation.until(),
            Self::Heartbeat(heartbeat) => heartbeat.at,
        }
    }
}

/// A position in the log, opaque to all but the store that created it.
///
/// It includes the incarnation of the log. A store therefore detects a cursor into a log that has since been restored
/// from a backup, and answers [`LogPage::CursorLost`].
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{Cursor, LogPage, MemoryStore, RevocationLog, StoreError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let store = MemoryStore::new();
/// let LogPage::Entries { next, .. } = store.read(None, 100).await? else { unreachable!() };
/// // As bytes the cursor can be kept. Another store does not know it.
/// let cursor = Cursor::new(next.as_bytes());
/// assert!(matches!(store.read(Some(&cursor), 100).await?, LogPage::Entries { .. }));
/// assert_eq!(MemoryStore::new().read(Some(&cursor), 100).await?, LogPage::CursorLost);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(Box<[u8]>);

impl Cursor {
    /// Creates a cursor of bytes that the store chooses.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes for the store that chose them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({} bytes)", self.0.len())
    }
}

/// A page of the log.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{LogEntry, LogPage, RevocationLog, StoreError};
///
/// async fn read_all(log: &impl RevocationLog) -> Result<Vec<LogEntry>, StoreError> {
///     let (mut all, mut cursor) = (Vec::new(), None);
///     loop {
///         match log.read(cursor.as_ref(), 1000).await? {
///             LogPage::Entries { entries, next, more } => {
///                 all.extend(entries);
///                 if !more {
///                     return Ok(all);
///                 }
///                 cursor = Some(next);
///             }
///             // Entries that were read before remain valid.
///             LogPage::CursorLost => cursor = None,
///         }
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// # assert!(read_all(&tower_jwt_auth_core::MemoryStore::new()).await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPage {
    /// The cursor is valid. Reading from cursor to cursor misses no entry whose commit came before the read. It may
    /// return an entry twice.
    Entries {
        /// The entries; the list may be empty.
        entries: Vec<LogEntry>,
        /// The cursor of the next page.
        next: Cursor,
        /// Whether the next page can be read at once.
        more: bool,
    },
    /// The cursor does not belong to this incarnation of the log. The reader starts over from the beginning and keeps
    /// the entries that it has.
    CursorLost,
}
