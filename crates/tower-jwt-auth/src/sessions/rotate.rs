use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{
    AdvanceRequest, ClientInfo, LateRetryRequest, Session, StoreError, Timestamp,
};

use super::{RefreshError, Sessions};
use crate::refresh_token::VerifiedRefreshToken;

/// The maximum number of attempts while other requests change the session at the same time.
const MAX_ATTEMPTS: usize = 3;

/// How a refresh responded to a refresh token.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::sessions::{RefreshContext, RefreshKind};
///
/// /// Returns whether a refresh counts as activity of the user.
/// fn is_activity(refresh: &RefreshContext<'_>) -> bool {
///     match refresh.kind() {
///         RefreshKind::Rotated => true,
///         RefreshKind::Replayed | RefreshKind::RetriedLate => false,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefreshKind {
    /// The token was the current one: the session advanced to the next generation.
    Rotated,
    /// The session had rotated within the grace window: the response contains the current token again.
    Replayed,
    /// The token was the previous one, and the grace window had passed: the client had lost a response, or two clients
    /// use the session.
    RetriedLate,
}

impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Advances the session, or returns it as it is for a replay or a late retry.
    pub(super) async fn rotate_or_replay(
        &self,
        token: &VerifiedRefreshToken,
        access_until: Timestamp,
        client: &ClientInfo,
    ) -> Result<(Session, RefreshKind), RefreshError> {
        let presented = token.presented();
        let id = token.session_id;
        let advance = AdvanceRequest {
            id,
            secret_hash: presented.secret_hash,
            from_generation: presented.generation,
            grace: self.inner.rotation.grace(),
            idle: self.inner.rotation.idle(),
            access_until,
        };
        for _ in 0..MAX_ATTEMPTS {
            if let Some(session) = self.inner.store.advance(&advance).await? {
                return Ok((session, RefreshKind::Rotated));
            }
            // Boxed: a refresh would carry its future in each move otherwise, and few refreshes come here.
            match Box::pin(self.evaluate(token, client)).await? {
                // The session has changed between the two calls.
                (_, RefreshKind::Rotated) => {}
                (session, RefreshKind::Replayed) => return Ok((session, RefreshKind::Replayed)),
                (_, RefreshKind::RetriedLate) => {
                    let late_retry = LateRetryRequest {
                        id,
                        secret_hash: presented.secret_hash,
                        generation: presented.generation,
                        grace: self.inner.rotation.grace(),
                        max_running: self.inner.rotation.late_retries(),
                        access_until,
                    };
                    if let Some(session) = self.inner.store.late_retry(&late_retry).await? {
                        return Ok((session, RefreshKind::RetriedLate));
                    }
                }
            }
        }
        Err(StoreError::unavailable("other requests kept changing the session").into())
    }
}

/// Logs how a refresh responded to a token. Honest clients cause replays, and so do thieves who follow them: a replay
/// from another user agent or address than that of the sign-in is a warning.
pub(super) fn log_refresh(session: &Session, kind: RefreshKind, client: &ClientInfo) {
    let origin = session.client_info();
    let differs = |now: Option<&str>, then: Option<&str>| {
        now.zip(then).is_some_and(|(now, then)| now != then)
    };
    let is_elsewhere = differs(client.user_agent(), origin.user_agent())
        || differs(client.address(), origin.address());
    macro_rules! event {
        ($level:ident, $message:literal) => {
            tracing::$level!(
                session = %session.id(),
                subject = session.subject(),
                generation = session.generation(),
                kind = ?kind,
                user_agent = client.user_agent(),
                address = client.address(),
                $message
            )
        };
    }
    match (kind, is_elsewhere) {
        (RefreshKind::Rotated, _) => event!(debug, "a session was refreshed"),
        (RefreshKind::Replayed | RefreshKind::RetriedLate, true) => {
            event!(warn, "a refresh was retried from another user agent or address");
        }
        (RefreshKind::Replayed, false) => event!(debug, "a refresh was replayed"),
        (RefreshKind::RetriedLate, false) => event!(info, "a refresh was retried late"),
    }
}
