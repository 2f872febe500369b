use std::error::Error as StdError;

/// The reason for which a call of a store failed.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::StoreError;
///
/// let error = StoreError::unavailable("connection refused");
/// assert_eq!(error.to_string(), "the store is unavailable");
/// assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "connection refused");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store is unavailable, at least at the moment. The same call may succeed later.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// The store contains invalid data.
    #[error("the store contains invalid data")]
    Corrupt(#[source] Box<dyn StdError + Send + Sync>),
    /// A session with this ID already exists. The store is unchanged.
    #[error("a session with this ID already exists")]
    Conflict,
    /// The subject has the maximum number of sessions. The store is unchanged.
    #[error("the subject has the maximum number of sessions")]
    Limit,
}

impl StoreError {
    /// Creates the error of an unavailable store from its cause.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    /// Creates the error of a store with invalid data from its cause.
    pub fn corrupt(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Corrupt(source.into())
    }
}
