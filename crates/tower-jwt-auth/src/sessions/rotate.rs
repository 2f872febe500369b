use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{
    AdvanceRequest, ClientInfo, LateRetryRequest, RotationOutcome, Session, StoreError, Timestamp,
};

use super::{RefreshError, RefreshRejection, Sessions};
use crate::refresh_token::VerifiedRefreshToken;

/// How often a step is tried that others keep overtaking.
const MAX_ATTEMPTS: usize = 3;

/// How a refresh token came to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefreshKind {
    /// It was the current one: the session moved to the next generation.
    Rotated,
    /// The session had rotated within the grace window: the answer is the current token, once more.
    Replayed,
    /// It was the one before, and the grace window was over: a client that lost an answer, or a second client.
    RetriedLate,
}

impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Moves the session on, or finds out why it does not move and what the answer is then.
    pub(super) async fn rotate_or_replay(
        &self,
        verified: &VerifiedRefreshToken,
        access_until: Timestamp,
        client: &ClientInfo,
    ) -> Result<(Session, RefreshKind), RefreshError> {
        let presented = verified.presented();
        let id = verified.session_id;
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
            let Some(snapshot) = self.inner.store.load(id).await? else {
                return Err(RefreshRejection::Unknown.into());
            };
            match snapshot.session.evaluate(&presented, snapshot.now, &self.inner.rotation) {
                // Something changed in between; once more.
                RotationOutcome::Rotate => {}
                RotationOutcome::Replay => return Ok((snapshot.session, RefreshKind::Replayed)),
                RotationOutcome::LateRetry => {
                    let retry = LateRetryRequest {
                        id,
                        secret_hash: presented.secret_hash,
                        generation: presented.generation,
                        grace: self.inner.rotation.grace(),
                        max_running: self.inner.rotation.late_retries(),
                        access_until,
                    };
                    if let Some(session) = self.inner.store.late_retry(&retry).await? {
                        return Ok((session, RefreshKind::RetriedLate));
                    }
                }
                RotationOutcome::Reuse => {
                    return Err(self
                        .end_for_reuse(&snapshot.session, verified, client)
                        .await?
                        .into());
                }
                RotationOutcome::Rejected(refusal) => {
                    return Err(self.refuse(&snapshot.session, refusal).into());
                }
            }
        }
        Err(StoreError::unavailable("the session keeps changing").into())
    }
}

/// Logs how a refresh token came to be answered. Replays happen to honest clients, and to thieves who shadow
/// them: one that comes from another user agent or address than the session's is worth a warning.
pub(super) fn report(session: &Session, kind: RefreshKind, client: &ClientInfo) {
    let known = session.client_info();
    let differs = |now: Option<&str>, then: Option<&str>| {
        now.zip(then).is_some_and(|(now, then)| now != then)
    };
    let is_elsewhere = differs(client.user_agent(), known.user_agent())
        || differs(client.address(), known.address());
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

/// Logs that a spent token was presented, for which the session ends.
pub(super) fn report_reuse(session: &Session, presented: u64, client: &ClientInfo) {
    tracing::warn!(
        session = %session.id(),
        subject = session.subject(),
        generation = presented,
        current = session.generation(),
        user_agent = client.user_agent(),
        address = client.address(),
        "a spent refresh token was presented: the session ends"
    );
}
