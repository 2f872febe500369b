use tower_jwt_auth_core::StoreError;

use crate::issuer::IssueError;

/// The reason for which a session was not started, ended or listed.
///
/// With the feature `axum` it is a response of a handler: 403 for [`Limit`](Self::Limit) and
/// [`OtherIssuer`](Self::OtherIssuer), 503 for an unavailable store or external signer,
/// 500 otherwise.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::sessions::{SessionError, SessionLimit};
/// use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new())
///     .session_limit(SessionLimit::reject_new(1))
///     .build()?;
/// let _tokens = sessions.start(SignIn::new("alice")).await?;
/// match sessions.start(SignIn::new("alice")).await {
///     Err(SessionError::Limit) => println!("Sign out on another device first."),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The subject is empty.
    #[error("the subject is empty")]
    NoSubject,
    /// The scope is malformed (RFC 6749 §3.3).
    #[error("the scope is malformed: use words of visible ASCII without quote or backslash")]
    Scope,
    /// The client id is empty.
    #[error("the client id is empty")]
    NoClientId,
    /// The subject has the maximum number of sessions, and the limit rejects new ones.
    #[error("the subject has the maximum number of sessions")]
    Limit,
    /// The identity is one of another issuer, which has no sessions here.
    #[error("the identity is one of another issuer")]
    OtherIssuer,
    /// The tokens cannot be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The store did not confirm the operation, which may have taken place.
    #[error("the store did not confirm the operation: {0}")]
    Store(#[source] StoreError),
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Limit => Self::Limit,
            other => Self::Store(other),
        }
    }
}
