use crate::id::SessionId;
use crate::session::SecretHash;

/// The selection of a session to end.
///
/// The enum is exhaustive on purpose: a store that misses a case does not compile.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{EndReason, MemoryStore, SessionId, SessionSelector, SessionStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let (issuer, subject, id) = ("https://shop.example", "alice", SessionId::random()?);
/// // Ends nothing if the session is not Alice's.
/// let selector = SessionSelector::Owned { issuer, subject, id };
/// let revocation = store.end(&selector, EndReason::Logout).await?;
/// assert!(revocation.is_none(), "the store is empty");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub enum SessionSelector<'a> {
    /// The session with this ID is selected.
    ById {
        /// The ID of the session.
        id: SessionId,
    },
    /// The session with this ID is selected if it has the secret that was presented.
    ByToken {
        /// The ID of the session.
        id: SessionId,
        /// The hash of the secret that was presented.
        secret_hash: SecretHash,
    },
    /// The session with this ID is selected if it belongs to the subject.
    Owned {
        /// The issuer of the subject's tokens.
        issuer: &'a str,
        /// The subject.
        subject: &'a str,
        /// The ID of the session.
        id: SessionId,
    },
}
