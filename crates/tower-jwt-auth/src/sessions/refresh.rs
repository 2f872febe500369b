use std::error::Error as StdError;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tower_jwt_auth_core::{
    Advance, Clock as _, Device, EndReason, LateRetry, Refusal, RevocationKey, Session, SessionId,
    StoreError, Timestamp, TokenId, Verdict,
};

use super::{HookError, Renewal, SessionError, Sessions, Tokens};
use crate::claims::ApplicationClaims;
use crate::issuer::IssueError;
use crate::patience::PATIENCE;
use crate::refresh_token::{self, Opened, RefreshToken};
use crate::revocation::{MOST_STALE, Standing};
use crate::scope::is_scope_or_none;

/// How often a step is tried that others keep overtaking.
const TRIES: usize = 3;

/// How a presented token came to be answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answered {
    Rotated,
    Replayed,
    RetriedLate,
}

impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Swaps a refresh token for a new access token and the next refresh token.
    ///
    /// The old refresh token is spent. Presented again within the grace window it is answered with the same
    /// successor; a token that was spent before ends the session (RFC 9700 §4.14.2).
    ///
    /// # Errors
    ///
    /// [`RefreshError::Refused`] when the session is over or the token is none of ours;
    /// [`RefreshError::Unavailable`] when the store or the hook cannot be asked, and a later try may succeed;
    /// [`RefreshError::Failed`] for a fault of the service that trying again does not mend.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, RefreshError> {
        self.refresh_from(refresh_token, &Device::default()).await
    }

    /// As [`refresh`](Self::refresh), for a client whose user agent or address is known: a spent token that
    /// comes from another one than the session's is worth an event.
    ///
    /// # Errors
    ///
    /// As [`refresh`](Self::refresh).
    pub async fn refresh_from(
        &self,
        refresh_token: &str,
        device: &Device,
    ) -> Result<Tokens, RefreshError> {
        let opened = refresh_token::open(&self.secrets, self.issuer.name(), refresh_token)
            .map_err(|_| RefreshRefusal::Invalid)?;
        self.refresh_opened(&opened, device).await
    }

    /// As [`refresh_from`](Self::refresh_from), with the one of these tokens that counts.
    pub(crate) async fn refresh_one_of(
        &self,
        opened: Vec<Opened>,
        device: &Device,
    ) -> Result<Tokens, RefreshError> {
        let opened = self.choose(opened).await?;
        self.refresh_opened(&opened, device).await
    }

    async fn refresh_opened(
        &self,
        opened: &Opened,
        device: &Device,
    ) -> Result<Tokens, RefreshError> {
        let now = self.clock().now();
        self.refuse_known(opened, now).await?;
        let access_until = self.issuer.access_expiry(now);
        let (session, answered) = self.step(opened, access_until).await?;
        report(&session, answered, device);
        // A replay writes nothing, so its access token must not outlive what the row says.
        let expires_at = match answered {
            Answered::Rotated | Answered::RetriedLate => access_until,
            Answered::Replayed => access_until.min(session.parts().access_until),
        };
        let refresh = refresh_token::seal(&self.secrets, &session, &opened.secret, now)?;
        if answered != Answered::Rotated {
            // The successor was handed out before, and may have been revoked since.
            self.refuse_revoked(refresh.id(), session.id(), now).await?;
        }
        match self.renew(&session, refresh, now, expires_at).await {
            Err(refused @ RefreshError::Refused(_)) => Err(refused),
            // It ended while the hook was asked: its cookie must not take the place of a newer login's.
            _ if self.is_known_to_be_over(&session, now) => Err(RefreshRefusal::Revoked.into()),
            renewed => renewed,
        }
    }

    /// What is known to be revoked costs no question to the store.
    pub(super) async fn refuse_revoked(
        &self,
        token: TokenId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<(), RefreshError> {
        let issuer = self.issuer.name();
        let (jti, sid) = (token.to_string(), session.to_string());
        let keys = [
            RevocationKey::Token { issuer, jti: &jti },
            RevocationKey::Session { issuer, sid: &sid },
        ];
        let revoked = self.revocations.is_any_revoked(&keys, now).await?;
        if revoked { Err(RefreshRefusal::Revoked.into()) } else { Ok(()) }
    }

    fn is_known_to_be_over(&self, session: &Session, now: Timestamp) -> bool {
        let sid = session.id().to_string();
        let key = RevocationKey::Session { issuer: self.issuer.name(), sid: &sid };
        self.revocations.standing([key].into_iter(), MOST_STALE, now) == Standing::Revoked
    }

    /// Moves the session on, or finds out why it does not move.
    async fn step(
        &self,
        opened: &Opened,
        access_until: Timestamp,
    ) -> Result<(Session, Answered), RefreshError> {
        let presented = opened.presented();
        let id = opened.session_id;
        let advance = Advance {
            id,
            secret_hash: presented.secret_hash,
            from_generation: presented.generation,
            idle: self.policy.idle(),
            access_until,
        };
        for _ in 0..TRIES {
            if let Some(session) = self.store.advance(&advance).await? {
                return Ok((session, Answered::Rotated));
            }
            let Some(loaded) = self.store.load(id).await? else {
                return Err(RefreshRefusal::Unknown.into());
            };
            match loaded.session.present(&presented, loaded.now, &self.policy) {
                // Something changed in between; once more.
                Verdict::Rotate => {}
                Verdict::Replay => return Ok((loaded.session, Answered::Replayed)),
                Verdict::LateRetry => {
                    let retry = LateRetry {
                        id,
                        secret_hash: presented.secret_hash,
                        generation: presented.generation,
                        access_until,
                    };
                    if let Some(session) = self.store.late_retry(&retry).await? {
                        return Ok((session, Answered::RetriedLate));
                    }
                }
                Verdict::Reuse => {
                    return Err(self.end_for_reuse(&loaded.session, opened).await?.into());
                }
                Verdict::Refused(refusal) => {
                    return Err(self.refuse(&loaded.session, refusal).into());
                }
                _ => return Err(RefreshRefusal::Unknown.into()),
            }
        }
        Err(RefreshError::Unavailable {
            source: StoreError::unavailable("the session keeps changing").into(),
            successor: None,
        })
    }

    /// Asks the hook and makes the access token. Whatever happens here, the client gets its successor.
    async fn renew(
        &self,
        session: &Session,
        refresh: RefreshToken,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Tokens, RefreshError> {
        let stored = ApplicationClaims::from_json(&session.parts().claims);
        let claims = match stored.and_then(|stored| stored.to::<C>()) {
            Ok(claims) => claims,
            Err(error) => return Err(RefreshError::failed(error, refresh)),
        };
        let renewal = match self.ask_hook(session, claims).await {
            Ok(renewal) => renewal,
            Err(HookError::Unavailable(source)) => {
                return Err(RefreshError::Unavailable { source, successor: Some(refresh) });
            }
            Err(HookError::Refuse) => {
                if let Err(error) = self.end_one(session.id(), EndReason::Refused).await {
                    // Not ended for certain: the client must come back and be refused again.
                    let source = error.into();
                    return Err(RefreshError::Unavailable { source, successor: Some(refresh) });
                }
                return Err(RefreshRefusal::ByApplication.into());
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
    async fn ask_hook(&self, session: &Session, claims: C) -> Result<Renewal<C>, HookError> {
        match timeout(PATIENCE, self.hook.on_refresh(session, claims)).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(HookError::unavailable(elapsed)),
        }
    }
}

/// Replays happen to honest clients, and to thieves who shadow them: worth an event when they come from
/// somewhere else.
fn report(session: &Session, answered: Answered, device: &Device) {
    if answered == Answered::Rotated {
        return;
    }
    let differs = |now: Option<&str>, then: Option<&str>| {
        now.zip(then).is_some_and(|(now, then)| now != then)
    };
    let known = session.device();
    let elsewhere = differs(device.user_agent(), known.user_agent())
        || differs(device.address(), known.address());
    let (session_id, generation) = (session.id(), session.generation());
    let late = answered == Answered::RetriedLate;
    if elsewhere {
        tracing::warn!(
            session = %session_id, generation, late,
            "a spent refresh token was retried from another user agent or address"
        );
    } else {
        tracing::debug!(session = %session_id, generation, late, "a refresh was retried");
    }
}

/// Why a refresh gave no access token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The session is over, or the token is none of ours. Trying again is no use.
    #[error(transparent)]
    Refused(#[from] RefreshRefusal),
    /// It cannot be told just now. Trying again may help.
    #[error("the session cannot be refreshed just now")]
    Unavailable {
        /// What is out of reach.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
        /// The refresh token to try again with, when the session has moved on already.
        successor: Option<RefreshToken>,
    },
    /// Something is wrong with the service: what the store kept does not fit the claims' type, or a hook's
    /// answer makes no token. Trying again is no use until that is mended; the session goes on.
    #[error("the session cannot be refreshed, for a fault of the service")]
    Failed {
        /// What is wrong.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
        /// The refresh token to try again with, when the session has moved on already.
        successor: Option<RefreshToken>,
    },
}

impl RefreshError {
    fn failed(source: impl Into<Box<dyn StdError + Send + Sync>>, refresh: RefreshToken) -> Self {
        Self::Failed { source: source.into(), successor: Some(refresh) }
    }
}

impl From<StoreError> for RefreshError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(_) => Self::Failed { source: error.into(), successor: None },
            _ => Self::Unavailable { source: error.into(), successor: None },
        }
    }
}

impl From<IssueError> for RefreshError {
    fn from(error: IssueError) -> Self {
        Self::Failed { source: error.into(), successor: None }
    }
}

/// Why a refresh token opens nothing. For logs; the client is told only that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshRefusal {
    /// It is malformed, of another type or issuer, or its signature does not match.
    #[error("the token is no refresh token of this issuer")]
    Invalid,
    /// The request carries refresh tokens of several live sessions, or of more than 8 sessions.
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

impl From<Refusal> for RefreshRefusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ended => Self::Ended,
            Refusal::Idle => Self::Idle,
            Refusal::Expired => Self::Expired,
            Refusal::WrongSecret => Self::WrongSecret,
            Refusal::Ahead => Self::Ahead,
            _ => Self::Unknown,
        }
    }
}
