use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{
    ClientInfo, Clock as _, EndReason, RotationOutcome, RotationRejection, Session, StoreError,
    Timestamp,
};

use super::{RefreshError, RefreshKind, RefreshRejection, Sessions};
use crate::issuer::MAX_ACCESS_LIFETIME;
use crate::refresh_token::{self, VerifiedRefreshToken};

/// The maximum number of sessions among which one is selected. Each may cost a query of the store.
const MAX_CANDIDATES: usize = 8;
/// The maximum number of sessions that one request ends by their tokens: the number of cookies per domain that every
/// browser keeps (RFC 6265 §6.1).
pub(super) const MAX_ENDED_BY_TOKEN: usize = 50;

/// The checks of the refresh tokens in a request: which one counts, and what a refresh does with it.
impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Returns the valid refresh tokens among these, the latest of each session. The others are ignored.
    pub(crate) fn verify_tokens<'t>(
        &self,
        refresh_tokens: impl IntoIterator<Item = &'t [u8]>,
    ) -> Vec<VerifiedRefreshToken> {
        let mut tokens: Vec<VerifiedRefreshToken> = Vec::new();
        for refresh_token in refresh_tokens {
            let Ok(refresh_token) = std::str::from_utf8(refresh_token) else { continue };
            let Ok(token) = self.verify_token(refresh_token) else { continue };
            // One session may have cookies under two paths, or the same cookie several times.
            match tokens.iter_mut().find(|other| other.is_of_same_session_as(&token)) {
                Some(other) if other.generation >= token.generation => {}
                Some(other) => *other = token,
                None => tokens.push(token),
            }
        }
        tokens
    }

    pub(super) fn verify_token(
        &self,
        refresh_token: &str,
    ) -> Result<VerifiedRefreshToken, RefreshRejection> {
        refresh_token::verify(&self.inner.secrets.peek(), self.inner.issuer.name(), refresh_token)
            .map_err(|_| RefreshRejection::Invalid)
    }

    /// Returns the one token that counts. It is never simply the first one, which may be planted.
    ///
    /// A single token is returned unchecked, because the caller checks it. Of several tokens, those whose session has
    /// ended are ignored: a browser keeps a cookie that was set for another path or domain, and sends it beside the new
    /// one.
    pub(crate) async fn select_token(
        &self,
        mut tokens: Vec<VerifiedRefreshToken>,
        client: &ClientInfo,
    ) -> Result<VerifiedRefreshToken, RefreshError> {
        let mut rejection = RefreshRejection::Invalid;
        let now = self.clock().now();
        if tokens.len() > 1 {
            tokens.retain(|token| {
                let rejected = match token {
                    _ if now >= token.expires_at => Some(RefreshRejection::Expired),
                    _ if self.is_session_in_list(token.session_id, now) => {
                        Some(RefreshRejection::Revoked)
                    }
                    _ => None,
                };
                rejection = rejected.unwrap_or(rejection);
                rejected.is_none()
            });
        }
        if tokens.len() > MAX_CANDIDATES {
            return Err(RefreshRejection::Ambiguous.into());
        }
        if tokens.len() > 1 {
            for token in std::mem::take(&mut tokens) {
                match self.reject_expired_or_revoked(&token, now).await {
                    Ok(()) => tokens.push(token),
                    Err(RefreshError::Rejected(rejected)) => rejection = rejected,
                    Err(error) => return Err(error),
                }
            }
        }
        if tokens.len() > 1 {
            for token in std::mem::take(&mut tokens) {
                // A spent token ends its session here as well. Otherwise a thief could find out without consequences
                // whether it is spent.
                match self.evaluate(&token, client).await {
                    // A token ahead of the store is a candidate, because its session is live.
                    Ok(_) | Err(RefreshError::Rejected(RefreshRejection::Ahead)) => {
                        tokens.push(token);
                    }
                    Err(RefreshError::Rejected(rejected)) => rejection = rejected,
                    Err(error) => return Err(error),
                }
                if tokens.len() > 1 {
                    return Err(RefreshRejection::Ambiguous.into());
                }
            }
        }
        tokens.pop().ok_or(rejection.into())
    }

    /// Returns the session of a token that a refresh would accept now. Writes nothing, unless the token is spent: then
    /// its session ends, as in a refresh.
    pub(super) async fn refreshable_session(
        &self,
        token: &VerifiedRefreshToken,
        client: &ClientInfo,
    ) -> Result<Session, RefreshError> {
        let now = self.clock().now();
        self.reject_expired_or_revoked(token, now).await?;
        let (session, _) = self.evaluate(token, client).await?;
        if session.generation() != token.generation {
            // A refresh would return the successor, which may be revoked.
            let successor = token.id_at(session.generation());
            self.reject_revoked(successor, session.id(), now).await?;
        }
        Ok(session)
    }

    /// Returns the tokens whose sessions may still have to be ended: the list does not contain the session, and an
    /// access token of it may be valid.
    pub(super) fn retain_endable(
        &self,
        mut tokens: Vec<VerifiedRefreshToken>,
    ) -> Vec<VerifiedRefreshToken> {
        let now = self.clock().now();
        tokens.retain(|token| {
            now < token.expires_at + MAX_ACCESS_LIFETIME
                && !self.is_session_in_list(token.session_id, now)
        });
        tokens
    }

    /// Rejects a token whose session has expired or that the list contains. Queries the store only if the list is stale
    /// or incomplete.
    pub(super) async fn reject_expired_or_revoked(
        &self,
        token: &VerifiedRefreshToken,
        now: Timestamp,
    ) -> Result<(), RefreshError> {
        if now >= token.expires_at {
            return Err(RefreshRejection::Expired.into());
        }
        self.reject_revoked(token.id, token.session_id, now).await
    }

    /// Applies the rotation rule to a token and the session in the store, and returns how a refresh would respond. Writes nothing, unless the token is spent:
    /// then its session ends (RFC 9700 §4.14.2).
    pub(super) async fn evaluate(
        &self,
        token: &VerifiedRefreshToken,
        client: &ClientInfo,
    ) -> Result<(Session, RefreshKind), RefreshError> {
        let Some(snapshot) = self.inner.store.load(token.session_id).await? else {
            return Err(RefreshRejection::Unknown.into());
        };
        let session = snapshot.session;
        let kind = match session.evaluate(&token.presented(), snapshot.now, &self.inner.rotation) {
            RotationOutcome::Rotate => RefreshKind::Rotated,
            RotationOutcome::Replay => RefreshKind::Replayed,
            RotationOutcome::LateRetry => RefreshKind::RetriedLate,
            RotationOutcome::Reuse => {
                return Err(self.end_for_reuse(&session, token, client).await?.into());
            }
            RotationOutcome::Rejected(rejection) => {
                return Err(self.reject(&session, rejection).into());
            }
        };
        Ok((session, kind))
    }

    /// Records an ended session in the list and logs a token that only a holder of the signing secret can issue.
    fn reject(&self, session: &Session, rejection: RotationRejection) -> RefreshRejection {
        self.record_if_ended(session);
        if rejection == RotationRejection::WrongSecret {
            tracing::warn!(
                session = %session.id(),
                "a refresh token has a valid signature but not the secret of its session: \
                 the signing secret has leaked"
            );
        }
        rejection.into()
    }

    /// Ends the session of a spent token.
    async fn end_for_reuse(
        &self,
        session: &Session,
        token: &VerifiedRefreshToken,
        client: &ClientInfo,
    ) -> Result<RefreshRejection, StoreError> {
        self.end_by_id(session.id(), EndReason::Reuse).await?;
        tracing::warn!(
            session = %session.id(),
            subject = session.subject(),
            generation = token.generation,
            current = session.generation(),
            user_agent = client.user_agent(),
            address = client.address(),
            "a spent refresh token was presented: the session ends"
        );
        Ok(RefreshRejection::Reuse)
    }
}
