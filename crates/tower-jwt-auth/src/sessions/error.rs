use tower_jwt_auth_core::StoreError;

use crate::issuer::IssueError;

/// Why a session was not started, ended or listed.
///
/// With the feature `axum` it is a response of a handler: 403 for [`Limit`](Self::Limit), 503 for an unavailable store,
/// 500 otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The subject is empty.
    #[error("the subject is empty")]
    NoSubject,
    /// The scope is malformed (RFC 6749 §3.3).
    #[error("the scope is not made of words of visible ASCII without quote or backslash")]
    Scope,
    /// The client id is empty.
    #[error("the client id is empty")]
    NoClientId,
    /// The subject has the maximum number of sessions, and the limit rejects new ones.
    #[error("the subject has the maximum number of sessions")]
    Limit,
    /// The tokens cannot be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The store did not confirm the operation. It took place either wholly or not at all.
    #[error("the store did not confirm the operation")]
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
