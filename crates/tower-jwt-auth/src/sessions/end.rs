use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};
use tower_jwt_auth_core::{
    ClientInfo, EndBatch, EndReason, Revocation, Session, SessionId, SessionPage, SessionPosition,
    SessionSelector, StoreError,
};

use super::presented::MAX_ENDED_BY_TOKEN;
use super::{RefreshError, RefreshRejection, SessionError, Sessions};
use crate::refresh_token::VerifiedRefreshToken;

/// The maximum number of sessions that a batch ends. A store may end fewer.
const BATCH_SIZE: usize = 200;
/// The maximum pause between two batches.
const MAX_BATCH_BACKOFF: Duration = Duration::from_secs(1);
/// The number of sessions per page.
const PAGE_SIZE: usize = 100;

/// The batches whose response was lost, although the store may have ended their sessions.
#[derive(Default)]
pub(super) struct LostBatches {
    /// Their number.
    lost: AtomicU64,
    /// How many of them the revocation list is known to contain.
    in_list: AtomicU64,
}

/// The sessions that a logout ends, relative to the session of its refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogoutScope {
    Current,
    All,
    Others,
}

impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Ends the session of this refresh token, whatever the generation or age of the token. Returns whether a session
    /// ended: `false` if it had ended before, or if the token is not valid.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] if it is not certain that the session has ended.
    pub async fn end_presented(&self, refresh_token: &str) -> Result<bool, SessionError> {
        match self.verify_token(refresh_token) {
            Ok(token) => Ok(self.end_by_token(&token, EndReason::Logout).await?),
            Err(_) => Ok(false),
        }
    }

    pub(super) async fn end_by_token(
        &self,
        token: &VerifiedRefreshToken,
        reason: EndReason,
    ) -> Result<bool, StoreError> {
        let selector =
            SessionSelector::ByToken { id: token.session_id, secret_hash: token.secret_hash() };
        self.end_selected(&selector, reason).await
    }

    pub(super) async fn end_by_id(
        &self,
        id: SessionId,
        reason: EndReason,
    ) -> Result<bool, StoreError> {
        self.end_selected(&SessionSelector::ById { id }, reason).await
    }

    /// Ends this session of a subject of this issuer. Returns whether a session ended: `false` if it had ended before, or
    /// if it is a session of another subject.
    ///
    /// For administration. A request of the subject itself uses [`end_for`](Self::end_for): a verifier may trust another
    /// issuer, which may have a subject of the same name.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] if it is not certain that the session has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey};
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// # let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
    /// let tokens = sessions.start(SignIn::new("alice")).await?;
    /// let id = tokens.refresh().session_id();
    /// assert!(!sessions.end("mallory", id).await?);
    /// assert!(sessions.end("alice", id).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn end(&self, subject: &str, id: SessionId) -> Result<bool, SessionError> {
        let selector = SessionSelector::Owned { issuer: self.inner.issuer.name(), subject, id };
        Ok(self.end_selected(&selector, EndReason::Logout).await?)
    }

    /// Ends the sessions that a subject of this issuer has at the time of the call, and returns their number.
    ///
    /// For administration. A request of the subject itself uses [`end_all_for`](Self::end_all_for).
    ///
    /// They end in batches, the oldest first, with pauses for other requests. Sessions that start in the meantime are
    /// not ended.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] if it is not certain that all of them have ended. The batches before the failed one have
    /// ended; a retry ends the others.
    pub async fn end_all(&self, subject: &str) -> Result<usize, SessionError> {
        Ok(self.end_many(subject, None).await?)
    }

    /// Ends the sessions of a subject of this issuer except this one, for example after a change of the password, and
    /// returns their number. They end in batches, as in [`end_all`](Self::end_all).
    ///
    /// A request of the subject itself uses [`end_others_for`](Self::end_others_for).
    ///
    /// # Errors
    ///
    /// The errors of [`end_all`](Self::end_all).
    pub async fn end_others(&self, subject: &str, keep: SessionId) -> Result<usize, SessionError> {
        Ok(self.end_many(subject, Some(keep)).await?)
    }

    /// Returns a page of at most 100 live sessions of a subject of this issuer, the oldest first. The first page is after
    /// `None`, and each further one after the [`next`](SessionPage::next) of the page before.
    ///
    /// For administration. A request of the subject itself uses [`list_for`](Self::list_for).
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] if the store cannot be queried.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey};
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// # let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
    /// # let _ = sessions.start(SignIn::new("alice")).await?;
    /// let page = sessions.list("alice", None).await?;
    /// assert_eq!(page.sessions[0].subject(), "alice");
    /// // There is no second page.
    /// assert!(page.next.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list(
        &self,
        subject: &str,
        after: Option<SessionPosition>,
    ) -> Result<SessionPage, SessionError> {
        Ok(self.inner.store.list(self.inner.issuer.name(), subject, after, PAGE_SIZE).await?)
    }

    /// Revokes a token by its `jti`, a session by its `sid`, or the older tokens of a subject of another issuer. It
    /// holds on this node once this returns, and on the other nodes once they have read the log.
    ///
    /// To end a session of this issuer, use [`end`](Self::end), which also ends its refresh token.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] if it is not certain that the log contains the revocation.
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), SessionError> {
        Ok(self.inner.revocations.revoke(revocation).await?)
    }

    pub(super) async fn end_selected(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<bool, StoreError> {
        let (SessionSelector::ById { id }
        | SessionSelector::ByToken { id, .. }
        | SessionSelector::Owned { id, .. }) = selector;
        if let Some(revocation) = self.inner.store.end(selector, reason).await? {
            self.inner.revocations.record(&[revocation]);
            tracing::debug!(session = %id, reason = reason.as_str(), "a session was ended");
            return Ok(true);
        }
        // Another node may have ended it, or a call whose response was lost. Once this returns, the list of this node
        // contains it as well.
        if let Some(snapshot) = self.inner.store.load(*id).await? {
            self.record_if_ended(&snapshot.session);
        }
        Ok(false)
    }

    /// Ends the sessions of the subject in a separate task, which completes even if the caller leaves.
    async fn end_many(&self, subject: &str, keep: Option<SessionId>) -> Result<usize, StoreError> {
        let (sessions, subject) = (self.clone(), subject.to_owned());
        let ending = async move { sessions.end_batches(&subject, keep).await };
        let ended = self.spawn(ending).await;
        ended.unwrap_or_else(|error| Err(StoreError::unavailable(error)))
    }

    /// Ends the sessions of the subject in batches.
    async fn end_batches(
        &self,
        subject: &str,
        keep: Option<SessionId>,
    ) -> Result<usize, StoreError> {
        let (issuer, reason) = (self.inner.issuer.name(), EndReason::Logout);
        let mut batch = EndBatch {
            issuer,
            subject,
            keep,
            after: None,
            through: None,
            limit: BATCH_SIZE,
            reason,
        };
        let mut count = 0;
        loop {
            let begun = Instant::now();
            let ended = match self.inner.store.end_batch(&batch).await {
                Ok(ended) => ended,
                Err(error) => {
                    // The batch may have ended sessions. Only the log contains their ids.
                    self.inner.lost_batches.lost.fetch_add(1, Ordering::SeqCst);
                    return Err(error);
                }
            };
            self.inner.revocations.record(&ended.revocations);
            count += ended.revocations.len();
            if ended.next.is_none() {
                break;
            }
            (batch.after, batch.through) = (ended.next, Some(ended.through));
            // Leaves half of the store's time to other requests.
            sleep(begun.elapsed().min(MAX_BATCH_BACKOFF)).await;
        }
        let lost = self.inner.lost_batches.lost.load(Ordering::SeqCst);
        if self.inner.lost_batches.in_list.load(Ordering::SeqCst) < lost {
            self.inner.revocations.catch_up(std::time::Instant::now()).await?;
            self.inner.lost_batches.in_list.fetch_max(lost, Ordering::SeqCst);
        }
        tracing::debug!(count, reason = reason.as_str(), "sessions of a subject were ended");
        Ok(count)
    }

    /// Inserts a session into the revocation list if it has ended.
    pub(super) fn record_if_ended(&self, session: &Session) {
        let record = session.record();
        if record.ended.is_some() {
            self.inner.revocations.record(&[record.revocation()]);
        }
    }

    /// Ends the sessions in this scope.
    ///
    /// With [`LogoutScope::Current`] each token ends its own session. The other scopes require one token that counts
    /// ([`select_token`](Self::select_token)) and that a refresh would accept.
    pub(crate) async fn logout(
        &self,
        tokens: Vec<VerifiedRefreshToken>,
        scope: LogoutScope,
        client: &ClientInfo,
    ) -> Result<(), RefreshError> {
        if scope == LogoutScope::Current {
            let tokens = self.retain_endable(tokens);
            if tokens.len() > MAX_ENDED_BY_TOKEN {
                return Err(RefreshRejection::Ambiguous.into());
            }
            for token in &tokens {
                self.end_by_token(token, EndReason::Logout).await?;
            }
            return Ok(());
        }
        let token = self.select_token(tokens, client).await?;
        let session = self.refreshable_session(&token, client).await?;
        // Its own session ends last: if ending the others fails, the client must be able to retry.
        self.end_many(session.subject(), Some(session.id())).await?;
        if scope == LogoutScope::All {
            self.end_by_id(session.id(), EndReason::Logout).await?;
        }
        Ok(())
    }
}
