use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tower_jwt_auth_core::{
    ClientInfo, Clock as _, EndReason, RevocationKey, STORE_TIMEOUT, SessionId, StoreError,
    Timestamp, TokenId,
};

use super::in_flight::{Refreshed, SharedResult};
use super::rotate::{RefreshKind, log_refresh};
use super::start::access_grant;
use super::{
    HookError, RefreshContext, RefreshError, RefreshRejection, SessionError, Sessions, Tokens,
};
use crate::base64url::Text128;
use crate::claims::ApplicationClaims;
use crate::issuer::IssueError;
use crate::refresh_token::{self, RefreshToken, VerifiedRefreshToken};
use crate::revocation::{DEFAULT_MAX_STALENESS, RevocationStatus};
use crate::scope::is_scope_or_none;

impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Exchanges a refresh token for a new access token and the session's current refresh token (RFC 6749 §6).
    ///
    /// The session rotates, unless it has rotated within the grace window: during that time the current and the
    /// previous token both return the current one. After it, the previous token is granted a late retry if the
    /// [`RotationPolicy`](crate::RotationPolicy) allows one. Any other spent token ends the session (RFC 9700
    /// §4.14.2).
    ///
    /// # Errors
    ///
    /// - [`RefreshError::Rejected`] if the session has ended or the token is not a refresh token of this issuer.
    /// - [`RefreshError::Unavailable`] if the store or the hook is unavailable. A retry may succeed.
    /// - [`RefreshError::Failed`] for a fault of the service. A retry fails until the fault is fixed.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth::sessions::{RefreshError, RefreshRejection};
    /// # use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey};
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// # let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
    /// let first = sessions.start(SignIn::new("alice")).await?;
    /// let second = sessions.refresh(first.refresh().as_str()).await?;
    /// assert_eq!(second.refresh().generation(), 1);
    ///
    /// sessions.end_all("alice").await?;
    /// let error = sessions.refresh(second.refresh().as_str()).await.unwrap_err();
    /// assert!(matches!(error, RefreshError::Rejected(RefreshRejection::Revoked)));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, RefreshError> {
        self.refresh_from(refresh_token, &ClientInfo::default()).await
    }

    /// Exchanges a refresh token as [`refresh`](Self::refresh) does, for a client whose user agent or address is known.
    /// A retry from another user agent or address than that of the sign-in is logged as a warning.
    ///
    /// # Errors
    ///
    /// The errors of [`refresh`](Self::refresh).
    pub async fn refresh_from(
        &self,
        refresh_token: &str,
        client_info: &ClientInfo,
    ) -> Result<Tokens, RefreshError> {
        let token = self.verify_token(refresh_token)?;
        self.refresh_verified(&token, client_info).await
    }

    /// Exchanges the one of these tokens that counts ([`select_token`](Self::select_token)).
    pub(crate) async fn refresh_one_of(
        &self,
        tokens: Vec<VerifiedRefreshToken>,
        client_info: &ClientInfo,
    ) -> Result<Tokens, RefreshError> {
        let token = match <[_; 1]>::try_from(tokens) {
            Ok([token]) => token,
            // Boxed: few browsers send several cookies.
            Err(tokens) => Box::pin(self.select_token(tokens, client_info)).await?,
        };
        self.refresh_verified(&token, client_info).await
    }

    async fn refresh_verified(
        &self,
        token: &VerifiedRefreshToken,
        client: &ClientInfo,
    ) -> Result<Tokens, RefreshError> {
        let now = self.clock().now();
        self.reject_expired_or_revoked(token, now).await?;
        // Boxed, because the endpoint moves this future into its task.
        let work = Box::pin(self.rotate_and_renew(token, client, now));
        let times = (now, self.inner.rotation.grace());
        let inspect = |result: &SharedResult, is_own: bool| {
            if let Ok(refreshed) = result {
                let kind = if is_own { refreshed.kind } else { RefreshKind::Replayed };
                log_refresh(&refreshed.session, kind, client);
            }
        };
        let Ok(result) = self.inner.in_flight.join(token, client, times, work, inspect).await
        else {
            let source = StoreError::unavailable("too many requests wait for one refresh");
            return Err(source.into());
        };
        let sets_cookie = result.as_ref().map_or_else(RefreshError::has_successor, |_| true);
        if sets_cookie && self.is_session_in_list(token.session_id, now) {
            // The session ended during the call of the hook: its cookie must not replace that of a newer login.
            return Err(RefreshRejection::Revoked.into());
        }
        result
    }

    /// Does the part of a refresh that runs once for all requests with the same token at the same time.
    async fn rotate_and_renew(
        &self,
        token: &VerifiedRefreshToken,
        client: &ClientInfo,
        now: Timestamp,
    ) -> SharedResult {
        let access_until = self.inner.issuer.access_expiry(now);
        let (session, kind) = self.rotate_or_replay(token, access_until, client).await?;
        // A replay writes nothing, so its access token must not outlive the time in the record.
        let expires_at = access_until.min(session.record().access_until);
        let refresh =
            refresh_token::issue(&self.inner.secrets.peek(), &session, &token.secret, now)?;
        if kind != RefreshKind::Rotated {
            // The successor was issued before and may be revoked by now.
            self.reject_revoked(refresh.id(), session.id(), now).await?;
        }
        let context = RefreshContext { session: &session, kind, client };
        let tokens = self.renew(&context, refresh, now, expires_at).await?;
        Ok(Refreshed { tokens, session, kind })
    }

    /// Rejects a token if it or its session is revoked. Queries the store only if the list is stale or incomplete.
    pub(super) async fn reject_revoked(
        &self,
        token: TokenId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<(), RefreshError> {
        let issuer = self.inner.issuer.name();
        let (jti, sid) = (Text128::new(token.as_bytes()), Text128::new(session.as_bytes()));
        let keys = [
            RevocationKey::Token { issuer, jti: &jti },
            RevocationKey::Session { issuer, sid: &sid },
        ];
        let is_revoked = self.inner.revocations.is_any_revoked(&keys, now).await?;
        if is_revoked { Err(RefreshRejection::Revoked.into()) } else { Ok(()) }
    }

    /// Returns whether the list contains the session. Never queries the store.
    pub(super) fn is_session_in_list(&self, session: SessionId, now: Timestamp) -> bool {
        let sid = Text128::new(session.as_bytes());
        let key = RevocationKey::Session { issuer: self.inner.issuer.name(), sid: &sid };
        self.inner.revocations.lookup([key].into_iter(), DEFAULT_MAX_STALENESS, now)
            == RevocationStatus::Revoked
    }

    /// Calls the hook and issues the access token. Its errors contain the successor, unless the hook refuses.
    async fn renew(
        &self,
        context: &RefreshContext<'_>,
        refresh: RefreshToken,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Tokens, RefreshError> {
        let session = context.session;
        let Ok(id) = TokenId::random() else {
            return Err(RefreshError::failed(IssueError::Entropy, refresh));
        };
        let times = (now, expires_at);
        let stored = match ApplicationClaims::from_json(&session.record().claims) {
            Ok(stored) => stored,
            Err(error) => return Err(RefreshError::failed(error, refresh)),
        };
        // The registered claims are not stored: those of the next token take their place.
        let grant = access_grant(session, id, session.scope(), &stored, times);
        let (claims, read_claims) = match self.inner.issuer.stored_claims::<C>(&grant) {
            Ok(claims) => claims,
            Err(error) => return Err(RefreshError::failed(error, refresh)),
        };
        let (claims, scope) = match self.call_hook(context, claims).await {
            Ok(renewal) => renewal,
            Err(HookError::Unavailable(source)) => {
                let source = source.into();
                return Err(RefreshError::Unavailable { source, successor: Some(refresh) });
            }
            Err(HookError::Refuse) => {
                let ended = Box::pin(self.end_by_id(session.id(), EndReason::Refused)).await;
                if let Err(error) = ended {
                    // The session may not have ended: the client must retry and be refused again.
                    let source = Arc::new(error);
                    return Err(RefreshError::Unavailable { source, successor: Some(refresh) });
                }
                return Err(RefreshRejection::ByApplication.into());
            }
        };
        if !is_scope_or_none(&scope) {
            return Err(RefreshError::failed(SessionError::Scope, refresh));
        }
        let claims = match ApplicationClaims::new(&claims) {
            Ok(claims) => claims,
            Err(error) => return Err(RefreshError::failed(IssueError::from(error), refresh)),
        };
        // The token has the claims that were read above, unless the hook or a newer type of the application changes them.
        let is_unchanged =
            stored.is_simple() && claims.as_json() == stored.as_json() && scope == session.scope();
        let grant = access_grant(session, id, &scope, &claims, times);
        let minted = match is_unchanged {
            true => self.inner.issuer.mint_stored(&grant, &read_claims).await,
            false => self.inner.issuer.mint::<C>(&grant).await,
        };
        match minted {
            Ok(access) => Ok(Tokens { access, refresh }),
            Err(error @ IssueError::SignerUnavailable(_)) => {
                let source = Arc::new(error);
                Err(RefreshError::Unavailable { source, successor: Some(refresh) })
            }
            Err(error) => Err(RefreshError::failed(error, refresh)),
        }
    }

    /// Calls the hook with the timeout of a store. Without a hook the claims and the scope are those of the session.
    async fn call_hook<'s>(
        &self,
        context: &RefreshContext<'s>,
        claims: C,
    ) -> Result<(C, Cow<'s, str>), HookError> {
        let Some(hook) = &self.inner.hook else {
            return Ok((claims, context.session.scope().into()));
        };
        match timeout(STORE_TIMEOUT, hook.on_refresh(context, claims)).await {
            Ok(result) => result.map(|renewal| (renewal.claims, renewal.scope.into())),
            Err(elapsed) => Err(HookError::unavailable(elapsed)),
        }
    }
}
