use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{
    ClientInfo, Clock as _, EndReason, RotationOutcome, RotationRejection, Session, StoreError,
    Timestamp,
};

use super::rotate::report_reuse;
use super::{RefreshError, RefreshRejection, Sessions};
use crate::issuer::MAX_ACCESS_LIFETIME;
use crate::refresh_token::{self, VerifiedRefreshToken};

/// The most sessions among which one is looked for: each may cost the store a question.
const MAX_SESSIONS: usize = 8;
/// The most sessions that one request ends by their tokens: as many as browsers keep cookies for a domain at least
/// (RFC 6265 §6.1).
pub(super) const MAX_ENDED_BY_TOKEN: usize = 50;

/// The refresh tokens that a request brings: which of them counts, and what it is good for.
impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// The refresh tokens of ours among these, the youngest of each session; others are passed over.
    pub(crate) fn verify_all<'t>(
        &self,
        tokens: impl IntoIterator<Item = &'t [u8]>,
    ) -> Vec<VerifiedRefreshToken> {
        let mut all: Vec<VerifiedRefreshToken> = Vec::new();
        for token in tokens {
            let Ok(token) = std::str::from_utf8(token) else { continue };
            let verified =
                refresh_token::verify(&self.inner.secrets, self.inner.issuer.name(), token);
            let Ok(verified) = verified else { continue };
            // The same session under two paths, or the same cookie over and over.
            match all.iter_mut().find(|other| other.is_of_one_session_with(&verified)) {
                Some(other) if other.generation >= verified.generation => {}
                Some(other) => *other = verified,
                None => all.push(verified),
            }
        }
        all
    }

    /// The one token that counts. Never simply the first: someone may have planted it.
    ///
    /// A single one is judged by whoever uses it. Of several, those are passed over whose session is over: a
    /// browser keeps a cookie that was set for another path or domain, and sends it beside the new one.
    pub(crate) async fn choose(
        &self,
        verified: Vec<VerifiedRefreshToken>,
        client: &ClientInfo,
    ) -> Result<VerifiedRefreshToken, RefreshError> {
        let mut left = verified;
        let mut over = RefreshRejection::Invalid;
        let now = self.clock().now();
        if left.len() > 1 {
            left.retain(|candidate| {
                let is_over = match candidate {
                    _ if now >= candidate.expires_at => Some(RefreshRejection::Expired),
                    _ if self.is_known_to_be_over(candidate.session_id, now) => {
                        Some(RefreshRejection::Revoked)
                    }
                    _ => None,
                };
                over = is_over.unwrap_or(over);
                is_over.is_none()
            });
        }
        if left.len() > MAX_SESSIONS {
            return Err(RefreshRejection::Ambiguous.into());
        }
        if left.len() > 1 {
            for candidate in std::mem::take(&mut left) {
                match self.refuse_known(&candidate, now).await {
                    Ok(()) => left.push(candidate),
                    Err(RefreshError::Rejected(refusal)) => over = refusal,
                    Err(unknown) => return Err(unknown),
                }
            }
        }
        if left.len() > 1 {
            for candidate in std::mem::take(&mut left) {
                match self.judge(&candidate).await {
                    // As if it had come alone: it must not be possible to ask without consequences.
                    Ok((session, RotationOutcome::Reuse)) => {
                        over = self.end_for_reuse(&session, &candidate, client).await?;
                    }
                    // Ahead of the store, the session is there nevertheless.
                    Ok(_) | Err(RefreshError::Rejected(RefreshRejection::Ahead)) => {
                        left.push(candidate);
                    }
                    Err(RefreshError::Rejected(refusal)) => over = refusal,
                    Err(unknown) => return Err(unknown),
                }
                if left.len() > 1 {
                    return Err(RefreshRejection::Ambiguous.into());
                }
            }
        }
        left.pop().ok_or(over.into())
    }

    /// The session of a token that is good for a refresh just now. Nothing is written for it, unless the token
    /// was spent: then its session ends, as at a refresh.
    pub(super) async fn refreshable(
        &self,
        verified: &VerifiedRefreshToken,
        client: &ClientInfo,
    ) -> Result<Session, RefreshError> {
        let now = self.clock().now();
        self.refuse_known(verified, now).await?;
        let (session, verdict) = self.judge(verified).await?;
        match verdict {
            RotationOutcome::Rotate | RotationOutcome::Replay | RotationOutcome::LateRetry => {}
            RotationOutcome::Reuse => {
                return Err(self.end_for_reuse(&session, verified, client).await?.into());
            }
            RotationOutcome::Rejected(refusal) => {
                return Err(self.refuse(&session, refusal).into());
            }
        }
        if session.generation() != verified.generation {
            // A refresh would hand out the successor, which may have been revoked.
            let successor = verified.id_at(session.generation());
            self.refuse_revoked(successor, session.id(), now).await?;
        }
        Ok(session)
    }

    /// Of these tokens those whose sessions may have to be ended: not where the list has the session already, nor
    /// where its last access token is long over.
    pub(super) fn to_be_ended(
        &self,
        verified: Vec<VerifiedRefreshToken>,
    ) -> Vec<VerifiedRefreshToken> {
        let now = self.clock().now();
        let may_matter = |verified: &VerifiedRefreshToken| {
            now < verified.expires_at + MAX_ACCESS_LIFETIME
                && !self.is_known_to_be_over(verified.session_id, now)
        };
        verified.into_iter().filter(may_matter).collect()
    }

    /// Refuses what is known to open nothing, without a question to the store.
    pub(super) async fn refuse_known(
        &self,
        verified: &VerifiedRefreshToken,
        now: Timestamp,
    ) -> Result<(), RefreshError> {
        if now >= verified.expires_at {
            return Err(RefreshRejection::Expired.into());
        }
        self.refuse_revoked(verified.id, verified.session_id, now).await
    }

    /// The session as the store has it, and what the rule says of this token. Nothing changes.
    async fn judge(
        &self,
        verified: &VerifiedRefreshToken,
    ) -> Result<(Session, RotationOutcome), RefreshError> {
        let Some(snapshot) = self.inner.store.load(verified.session_id).await? else {
            return Err(RefreshRejection::Unknown.into());
        };
        match snapshot.session.evaluate(&verified.presented(), snapshot.now, &self.inner.rotation) {
            RotationOutcome::Rejected(refusal) => {
                Err(self.refuse(&snapshot.session, refusal).into())
            }
            verdict => Ok((snapshot.session, verdict)),
        }
    }

    /// Takes note of a token that opens nothing.
    pub(super) fn refuse(&self, session: &Session, refusal: RotationRejection) -> RefreshRejection {
        self.note_if_ended(session);
        if refusal == RotationRejection::WrongSecret {
            tracing::warn!(
                session = %session.id(),
                "a refresh token with a good signature has not the session's secret: \
                 someone holds the signing secret"
            );
        }
        refusal.into()
    }

    /// Ends the session of a token that was spent.
    pub(super) async fn end_for_reuse(
        &self,
        session: &Session,
        presented: &VerifiedRefreshToken,
        client: &ClientInfo,
    ) -> Result<RefreshRejection, StoreError> {
        self.end_one(session.id(), EndReason::Reuse).await?;
        report_reuse(session, presented.generation, client);
        Ok(RefreshRejection::Reuse)
    }
}
