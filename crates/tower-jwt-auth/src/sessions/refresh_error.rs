use std::error::Error as StdError;
use std::sync::Arc;

use tower_jwt_auth_core::{RotationRejection, StoreError};

use crate::issuer::IssueError;
use crate::refresh_token::RefreshToken;

/// The reason for which a refresh returned no access token.
///
/// It can be cloned, because requests that wait for one refresh share its error.
///
/// With the feature `axum` it is a response of a handler: 401, 503 or 500. That response does not contain the
/// successor; the one of [`RefreshService`](crate::RefreshService) does.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::sessions::RefreshError;
/// # use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SigningKey};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// # let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
/// match sessions.refresh("not a refresh token").await {
///     Ok(tokens) => println!("{}", tokens.access().as_str()),
///     Err(RefreshError::Rejected(rejection)) => println!("Sign in again: {rejection}."),
///     Err(error @ (RefreshError::Unavailable { .. } | RefreshError::Failed { .. })) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum RefreshError {
    /// The session has ended, or the token is not a refresh token of this issuer. A retry fails.
    #[error(transparent)]
    Rejected(#[from] RefreshRejection),
    /// The store, the hook or the external signer is unavailable. A retry may succeed.
    #[error("the session cannot be refreshed at the moment: {source}")]
    Unavailable {
        /// The cause.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
        /// The refresh token for the retry, if the session has already rotated.
        successor: Option<RefreshToken>,
    },
    /// The service has a fault: the stored claims do not fit the type of the claims, or no token can be issued from the
    /// renewal of the hook. A retry fails until the fault is fixed. The session continues.
    #[error("the session cannot be refreshed because of a fault of the service: {source}")]
    Failed {
        /// The cause.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
        /// The refresh token for the retry, if the session has already rotated.
        successor: Option<RefreshToken>,
    },
}

impl RefreshError {
    /// Returns whether the response contains a refresh token.
    pub(super) fn has_successor(&self) -> bool {
        match self {
            Self::Rejected(_) => false,
            Self::Unavailable { successor, .. } | Self::Failed { successor, .. } => {
                successor.is_some()
            }
        }
    }

    pub(super) fn failed(
        source: impl Into<Box<dyn StdError + Send + Sync>>,
        refresh: RefreshToken,
    ) -> Self {
        Self::Failed { source: Arc::from(source.into()), successor: Some(refresh) }
    }
}

impl From<StoreError> for RefreshError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(_) => Self::Failed { source: Arc::new(error), successor: None },
            _ => Self::Unavailable { source: Arc::new(error), successor: None },
        }
    }
}

impl From<IssueError> for RefreshError {
    fn from(error: IssueError) -> Self {
        Self::Failed { source: Arc::new(error), successor: None }
    }
}

/// The reason for which a refresh token is not accepted, for logs and metrics. The client receives only a 401.
///
/// The responses of [`RefreshService`](crate::RefreshService) and [`LogoutService`](crate::LogoutService) contain it in
/// their extensions.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::sessions::RefreshRejection;
///
/// /// Returns whether an endpoint detected the reuse of a token, for a layer that counts thefts.
/// fn is_theft<B>(response: &http::Response<B>) -> bool {
///     response.extensions().get() == Some(&RefreshRejection::Reuse)
/// }
/// assert!(!is_theft(&http::Response::new(())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshRejection {
    /// The token is malformed, has another type or issuer, or its signature does not match.
    #[error("the token is not a refresh token of this issuer")]
    Invalid,
    /// The request carries refresh tokens of several live sessions, or of more than 8 sessions. A logout of this
    /// session accepts up to 50.
    #[error("the request carries refresh tokens of several sessions")]
    Ambiguous,
    /// The session has reached its absolute lifetime.
    #[error("the session has reached its absolute lifetime")]
    Expired,
    /// The session was not refreshed for too long.
    #[error("the session was idle for too long")]
    Idle,
    /// The token or the session has been revoked.
    #[error("the token or its session has been revoked")]
    Revoked,
    /// The session does not exist.
    #[error("the session does not exist")]
    Unknown,
    /// The session was ended.
    #[error("the session was ended")]
    Ended,
    /// The secret of the token is not that of the session.
    #[error("the token does not have the secret of its session")]
    WrongSecret,
    /// The token has a later generation than the session in the store, which was restored from a backup.
    #[error("the token is ahead of the store")]
    Ahead,
    /// The token was spent. Its session has been ended.
    #[error("the token was spent")]
    Reuse,
    /// The hook of the application refused the renewal. The session has been ended.
    #[error("the application refused to renew the session")]
    ByApplication,
}

impl From<RotationRejection> for RefreshRejection {
    fn from(rejection: RotationRejection) -> Self {
        match rejection {
            RotationRejection::Ended => Self::Ended,
            RotationRejection::Idle => Self::Idle,
            RotationRejection::Expired => Self::Expired,
            RotationRejection::WrongSecret => Self::WrongSecret,
            RotationRejection::Ahead => Self::Ahead,
        }
    }
}
