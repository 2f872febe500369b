use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tower_jwt_auth_core::{
    ClientInfo, Clock as _, EndReason, RevocationKey, STORE_TIMEOUT, SessionId, StoreError,
    Timestamp, TokenId,
};

use super::in_flight::{Answer, Refreshed};
use super::rotate::{RefreshKind, report};
use super::{
    HookError, RefreshContext, RefreshError, RefreshRejection, Renewal, SessionError, Sessions,
    Tokens,
};
use crate::claims::ApplicationClaims;
use crate::issuer::IssueError;
use crate::refresh_token::{self, RefreshToken, VerifiedRefreshToken};
use crate::revocation::{DEFAULT_MAX_STALENESS, RevocationStatus};
use crate::scope::is_scope_or_none;

impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Swaps a refresh token for a new access token and the session's current refresh token.
    ///
    /// The session rotates first, unless it has rotated within the grace window: in that time the current token
    /// and the one before are answered with the current one. Later, the one before is granted a late retry where
    /// the [`RotationPolicy`](crate::RotationPolicy) allows one. Any other spent token ends the session (RFC 9700
    /// §4.14.2).
    ///
    /// # Errors
    ///
    /// [`RefreshError::Rejected`] when the session is over or the token is none of ours;
    /// [`RefreshError::Unavailable`] when the store or the hook cannot be asked, and a later try may succeed;
    /// [`RefreshError::Failed`] for a fault of the service that trying again does not mend.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, RefreshError> {
        self.refresh_from(refresh_token, &ClientInfo::default()).await
    }

    /// As [`refresh`](Self::refresh), for a client whose user agent or address is known: a retry that comes from
    /// another one than the session's is logged as a warning.
    ///
    /// # Errors
    ///
    /// As [`refresh`](Self::refresh).
    pub async fn refresh_from(
        &self,
        refresh_token: &str,
        client_info: &ClientInfo,
    ) -> Result<Tokens, RefreshError> {
        let verified =
            refresh_token::verify(&self.inner.secrets, self.inner.issuer.name(), refresh_token)
                .map_err(|_| RefreshRejection::Invalid)?;
        self.refresh_verified(&verified, client_info).await
    }

    /// As [`refresh_from`](Self::refresh_from), with the one of these tokens that counts.
    pub(crate) async fn refresh_one_of(
        &self,
        verified: Vec<VerifiedRefreshToken>,
        client_info: &ClientInfo,
    ) -> Result<Tokens, RefreshError> {
        let verified = self.choose(verified, client_info).await?;
        self.refresh_verified(&verified, client_info).await
    }

    async fn refresh_verified(
        &self,
        verified: &VerifiedRefreshToken,
        client: &ClientInfo,
    ) -> Result<Tokens, RefreshError> {
        let now = self.clock().now();
        self.refuse_known(verified, now).await?;
        let work = self.rotate_and_renew(verified, client, now);
        let Ok((answer, is_own)) = self
            .inner
            .in_flight
            .join(verified, client, (now, self.inner.rotation.grace()), work)
            .await
        else {
            let source = StoreError::unavailable("too many requests wait for one refresh");
            return Err(source.into());
        };
        if let Ok(refreshed) = &answer {
            let kind = if is_own { refreshed.kind } else { RefreshKind::Replayed };
            report(&refreshed.session, kind, client);
        }
        let brings_a_cookie = answer.as_ref().map_or_else(RefreshError::has_successor, |_| true);
        if brings_a_cookie && self.is_known_to_be_over(verified.session_id, now) {
            // It ended while the hook was asked: its cookie must not take the place of a newer login's.
            return Err(RefreshRejection::Revoked.into());
        }
        Ok(answer?.tokens)
    }

    /// What is done once for all who bring this token at the same time.
    async fn rotate_and_renew(
        &self,
        verified: &VerifiedRefreshToken,
        client: &ClientInfo,
        now: Timestamp,
    ) -> Answer {
        let access_until = self.inner.issuer.access_expiry(now);
        let (session, kind) = self.rotate_or_replay(verified, access_until, client).await?;
        // A replay writes nothing, so its access token must not outlive what the row says.
        let expires_at = access_until.min(session.record().access_until);
        let refresh = refresh_token::issue(&self.inner.secrets, &session, &verified.secret, now)?;
        if kind != RefreshKind::Rotated {
            // The successor was handed out before, and may have been revoked since.
            self.refuse_revoked(refresh.id(), session.id(), now).await?;
        }
        let context = RefreshContext { session: &session, kind, client };
        let tokens = self.renew(&context, refresh, now, expires_at).await?;
        Ok(Refreshed { tokens, session: Arc::new(session), kind })
    }

    /// What is known to be revoked costs no question to the store.
    pub(super) async fn refuse_revoked(
        &self,
        token: TokenId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<(), RefreshError> {
        let issuer = self.inner.issuer.name();
        let (jti, sid) = (token.to_string(), session.to_string());
        let keys = [
            RevocationKey::Token { issuer, jti: &jti },
            RevocationKey::Session { issuer, sid: &sid },
        ];
        let revoked = self.inner.revocations.is_any_revoked(&keys, now).await?;
        if revoked { Err(RefreshRejection::Revoked.into()) } else { Ok(()) }
    }

    pub(super) fn is_known_to_be_over(&self, session: SessionId, now: Timestamp) -> bool {
        let sid = session.to_string();
        let key = RevocationKey::Session { issuer: self.inner.issuer.name(), sid: &sid };
        self.inner.revocations.lookup([key].into_iter(), DEFAULT_MAX_STALENESS, now)
            == RevocationStatus::Revoked
    }

    /// Asks the hook and makes the access token. Whatever happens here, the client gets its successor.
    async fn renew(
        &self,
        context: &RefreshContext<'_>,
        refresh: RefreshToken,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Tokens, RefreshError> {
        let session = context.session;
        let stored = ApplicationClaims::from_json(&session.record().claims);
        let claims = match stored.and_then(|stored| stored.to::<C>()) {
            Ok(claims) => claims,
            Err(error) => return Err(RefreshError::failed(error, refresh)),
        };
        let renewal = match self.call_hook(context, claims).await {
            Ok(renewal) => renewal,
            Err(HookError::Unavailable(source)) => {
                let source = source.into();
                return Err(RefreshError::Unavailable { source, successor: Some(refresh) });
            }
            Err(HookError::Refuse) => {
                if let Err(error) = self.end_one(session.id(), EndReason::Refused).await {
                    // Not ended for certain: the client must come back and be refused again.
                    let source = Arc::new(error);
                    return Err(RefreshError::Unavailable { source, successor: Some(refresh) });
                }
                return Err(RefreshRejection::ByApplication.into());
            }
        };
        if !is_scope_or_none(&renewal.scope) {
            return Err(RefreshError::failed(SessionError::Scope, refresh));
        }
        let access = ApplicationClaims::new(&renewal.claims)
            .map_err(IssueError::from)
            .and_then(|claims| self.mint(session, &renewal.scope, &claims, now, expires_at));
        match access {
            Ok(access) => Ok(Tokens { access, refresh }),
            Err(error) => Err(RefreshError::failed(error, refresh)),
        }
    }

    /// A hook that hangs cannot tell, as a store that hangs.
    async fn call_hook(
        &self,
        context: &RefreshContext<'_>,
        claims: C,
    ) -> Result<Renewal<C>, HookError> {
        match timeout(STORE_TIMEOUT, self.inner.hook.on_refresh(context, claims)).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(HookError::unavailable(elapsed)),
        }
    }
}
