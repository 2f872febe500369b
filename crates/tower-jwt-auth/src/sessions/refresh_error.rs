use std::error::Error as StdError;
use std::sync::Arc;

use tower_jwt_auth_core::{RotationRejection, StoreError};

use crate::issuer::IssueError;
use crate::refresh_token::RefreshToken;

/// Why a refresh gave no access token.
///
/// Requests that waited for one refresh share its error, so it can be cloned.
///
/// With the feature `axum` it is a response of a handler: 401, 503 or 500. The response does not carry the successor;
/// [`RefreshService`](crate::RefreshService) sends it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The session is over, or the token is none of ours. Trying again is no use.
    #[error(transparent)]
    Rejected(#[from] RefreshRejection),
    /// It cannot be told just now. Trying again may help.
    #[error("the session cannot be refreshed just now")]
    Unavailable {
        /// What is out of reach.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
        /// The refresh token to try again with, when the session has moved on already.
        successor: Option<RefreshToken>,
    },
    /// Something is wrong with the service: what the store kept does not fit the claims' type, or a hook's
    /// answer makes no token. Trying again is no use until that is mended; the session goes on.
    #[error("the session cannot be refreshed, for a fault of the service")]
    Failed {
        /// What is wrong.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
        /// The refresh token to try again with, when the session has moved on already.
        successor: Option<RefreshToken>,
    },
}

impl RefreshError {
    /// Whether the answer brings a refresh token.
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

/// Why a refresh token opens nothing. For logs; the client is told only that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshRejection {
    /// It is malformed, of another type or issuer, or its signature does not match.
    #[error("the token is no refresh token of this issuer")]
    Invalid,
    /// The request carries refresh tokens of several live sessions, of more than 8 sessions, or, to log out of, of
    /// more than 50.
    #[error("the request carries refresh tokens of several sessions")]
    Ambiguous,
    /// The session has reached its absolute end.
    #[error("the session has reached its end")]
    Expired,
    /// The session was not refreshed for too long.
    #[error("the session was idle for too long")]
    Idle,
    /// The token or the session has been revoked.
    #[error("the token or its session has been revoked")]
    Revoked,
    /// There is no such session.
    #[error("there is no such session")]
    Unknown,
    /// The session was ended.
    #[error("the session was ended")]
    Ended,
    /// The token's secret is not the session's.
    #[error("the token was not made for this session")]
    WrongSecret,
    /// The token is of a generation that the store does not know yet: it was restored from a backup.
    #[error("the token is ahead of the store")]
    Ahead,
    /// The token was spent before. The session has been ended for it.
    #[error("the token was spent before")]
    Reuse,
    /// The application's hook refused. The session has been ended for it.
    #[error("the application refused to renew the session")]
    ByApplication,
}

impl From<RotationRejection> for RefreshRejection {
    fn from(refusal: RotationRejection) -> Self {
        match refusal {
            RotationRejection::Ended => Self::Ended,
            RotationRejection::Idle => Self::Idle,
            RotationRejection::Expired => Self::Expired,
            RotationRejection::WrongSecret => Self::WrongSecret,
            RotationRejection::Ahead => Self::Ahead,
        }
    }
}
