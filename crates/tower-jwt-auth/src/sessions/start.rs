use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{
    Clock as _, EndReason, Session, SessionId, SessionRecord, Timestamp, TokenId,
};

use super::presented::MAX_ENDED_BY_TOKEN;
use super::{SessionError, Sessions, SignIn, Tokens};
use crate::claims::ApplicationClaims;
use crate::issuer::{AccessGrant, IssueError};
use crate::refresh_token::{self, SessionSecret};
use crate::scope::is_scope_or_none;

impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Starts a session for a user who has just authenticated.
    ///
    /// The sessions of the [replaced tokens](SignIn::replacing_token) end first, so that a failure leaves no session
    /// whose token is lost.
    ///
    /// # Errors
    ///
    /// - [`SessionError::NoSubject`], [`SessionError::NoClientId`] and [`SessionError::Scope`] for an invalid sign-in.
    /// - [`SessionError::Issue`] if the claims do not fit into a token.
    /// - [`SessionError::Limit`] if the subject has the maximum number of sessions and the limit rejects new ones.
    /// - [`SessionError::Store`] if the store does not confirm the session.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey};
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// # let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
    /// let first = sessions.start(SignIn::new("alice").with_scope("read")).await?;
    /// // The same browser signs in again: its first session ends.
    /// let sign_in = SignIn::new("alice").replacing_token(first.refresh().as_str());
    /// let second = sessions.start(sign_in).await?;
    /// assert!(sessions.refresh(first.refresh().as_str()).await.is_err());
    /// # let _ = second;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start(&self, sign_in: SignIn<C>) -> Result<Tokens, SessionError> {
        let now = self.clock().now();
        if sign_in.subject.is_empty() {
            return Err(SessionError::NoSubject);
        }
        if !is_scope_or_none(&sign_in.scope) {
            return Err(SessionError::Scope);
        }
        if sign_in.client_id.as_deref() == Some("") {
            return Err(SessionError::NoClientId);
        }
        let claims = ApplicationClaims::new(&sign_in.claims).map_err(IssueError::from)?;
        let secret = SessionSecret::random()?;
        let expires_at = now + self.inner.rotation.absolute();
        let access_until = self.inner.issuer.access_expiry(now);
        let session = Session::from_record(SessionRecord {
            id: SessionId::random().map_err(|_| IssueError::Entropy)?,
            issuer: self.inner.issuer.name().to_owned(),
            subject: sign_in.subject,
            secret_hash: secret.hash(),
            generation: 0,
            created_at: now,
            rotated_at: now,
            idle_until: (now + self.inner.rotation.idle()).min(expires_at),
            expires_at,
            access_until,
            late_retry: None,
            ended: None,
            // A time in the future would make the login look recent at each refresh until then.
            auth_time: sign_in.auth_time.map_or(now, |auth_time| auth_time.min(now)),
            client_id: sign_in
                .client_id
                .unwrap_or_else(|| self.inner.issuer.client_id().to_owned()),
            scope: sign_in.scope,
            claims: claims.as_json().to_owned(),
            client_info: sign_in.client_info,
        });
        // Issued before anything is written: an error changes nothing.
        let id = TokenId::random().map_err(|_| IssueError::Entropy)?;
        let times = (now, access_until);
        let grant = access_grant(&session, id, session.scope(), &claims, times);
        let access = self.inner.issuer.mint::<C>(&grant).await?;
        let refresh = refresh_token::issue(&self.inner.secrets.peek(), &session, &secret, now)?;
        let replaced = self.verify_tokens(sign_in.replaced_tokens.iter().map(String::as_bytes));
        // Bounds the work of one request. Further sessions end by their idle lifetime.
        for token in self.retain_endable(replaced).iter().take(MAX_ENDED_BY_TOKEN) {
            self.end_by_token(token, EndReason::Replaced).await?;
        }
        let displaced = self.inner.store.insert(&session, self.inner.limit).await?;
        self.inner.revocations.record(&displaced);
        for revocation in &displaced {
            let (_, _, displaced) = revocation.target();
            tracing::info!(
                session = displaced,
                subject = session.subject(),
                "a session was ended for a new one: the subject had the maximum number of sessions"
            );
        }
        Ok(Tokens { access, refresh })
    }
}

/// Returns the content of an access token that is issued and expires at these times.
pub(super) fn access_grant<'g>(
    session: &'g Session,
    id: TokenId,
    scope: &'g str,
    claims: &'g ApplicationClaims<'g>,
    (issued_at, expires_at): (Timestamp, Timestamp),
) -> AccessGrant<'g> {
    let record = session.record();
    AccessGrant {
        id,
        subject: &record.subject,
        session_id: record.id,
        client_id: &record.client_id,
        auth_time: record.auth_time,
        scope,
        claims,
        issued_at,
        expires_at,
    }
}
