use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{
    Clock as _, EndReason, Session, SessionId, SessionRecord, SessionSelector, StoreError,
    Timestamp,
};

use super::presented::MAX_ENDED_BY_TOKEN;
use super::{SessionError, Sessions, SignIn, Tokens};
use crate::claims::ApplicationClaims;
use crate::issuer::{AccessGrant, AccessToken, IssueError};
use crate::refresh_token::{self, SessionSecret};
use crate::scope::is_scope_or_none;

impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Starts a session for someone who has just proved who they are.
    ///
    /// The session that it replaces ends first: should the rest fail, nobody is left with a session whose
    /// token is lost.
    ///
    /// # Errors
    ///
    /// [`SessionError`] for an empty subject, a malformed scope, claims that cannot be put into a token, too
    /// many sessions, or a store out of reach.
    pub async fn start(&self, who: SignIn<C>) -> Result<Tokens, SessionError> {
        let now = self.clock().now();
        if who.subject.is_empty() {
            return Err(SessionError::NoSubject);
        }
        if !is_scope_or_none(&who.scope) {
            return Err(SessionError::Scope);
        }
        if who.client_id.as_deref() == Some("") {
            return Err(SessionError::NoClientId);
        }
        let claims = ApplicationClaims::new(&who.claims).map_err(IssueError::from)?;
        let secret = SessionSecret::random()?;
        let expires_at = now + self.inner.rotation.absolute();
        let access_until = self.inner.issuer.access_expiry(now);
        let session = Session::from_record(SessionRecord {
            id: SessionId::random().map_err(|_| IssueError::Entropy)?,
            issuer: self.inner.issuer.name().to_owned(),
            subject: who.subject,
            secret_hash: secret.hash(),
            generation: 0,
            created_at: now,
            rotated_at: now,
            idle_until: (now + self.inner.rotation.idle()).min(expires_at),
            expires_at,
            access_until,
            late_retry: None,
            ended: None,
            // One in the future would make a login look fresh at every refresh until then.
            auth_time: who.auth_time.map_or(now, |auth_time| auth_time.min(now)),
            client_id: who.client_id.unwrap_or_else(|| self.inner.issuer.client_id().to_owned()),
            scope: who.scope,
            claims: claims.to_json(),
            client_info: who.client_info,
        });
        // Made before anything is written: what cannot be made leaves nothing behind.
        let access = self.mint(&session, session.scope(), &claims, now, access_until)?;
        let refresh = refresh_token::issue(&self.inner.secrets, &session, &secret, now)?;
        let replaced =
            self.to_be_ended(self.verify_all(who.replaced_tokens.iter().map(String::as_bytes)));
        // A bound on the work of one request; the rest ends when it has been idle for too long.
        for verified in replaced.iter().take(MAX_ENDED_BY_TOKEN) {
            self.end_verified(verified, EndReason::Replaced).await?;
        }
        let displaced = self.inner.store.insert(&session, self.inner.limit).await?;
        self.inner.revocations.record(&displaced);
        for revocation in &displaced {
            let (_, _, displaced) = revocation.target();
            tracing::info!(
                session = displaced,
                subject = session.subject(),
                "a session was ended for a new one: the subject had as many as allowed"
            );
        }
        Ok(Tokens { access, refresh })
    }

    pub(super) fn mint(
        &self,
        session: &Session,
        scope: &str,
        claims: &ApplicationClaims,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<AccessToken, IssueError> {
        let row = session.record();
        self.inner.issuer.mint::<C>(&AccessGrant {
            subject: &row.subject,
            session_id: row.id,
            client_id: &row.client_id,
            auth_time: row.auth_time,
            scope,
            claims,
            issued_at,
            expires_at,
        })
    }

    pub(super) async fn end_one(
        &self,
        id: SessionId,
        reason: EndReason,
    ) -> Result<bool, StoreError> {
        self.end_selected(&SessionSelector::ById { id }, reason).await
    }
}
