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
use crate::refresh_token::{self, VerifiedRefreshToken};

/// How many sessions a batch ends, at most; a store may do with fewer at a time.
const BATCH: usize = 200;
/// The longest pause between two batches.
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// How many sessions a page lists.
const PAGE: usize = 100;

/// The endings of many sessions whose answer was lost: how many there were, and how many of them the list is known to
/// have.
#[derive(Default)]
pub(super) struct LostEndings {
    lost: AtomicU64,
    in_list: AtomicU64,
}

/// Which sessions someone who holds a refresh token wants to end.
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
    /// Ends the session of this refresh token, whatever the token's generation or age; tells whether there
    /// was one to end.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] when it is not certain that the session is over.
    pub async fn end_presented(&self, refresh_token: &str) -> Result<bool, SessionError> {
        match refresh_token::verify(&self.inner.secrets, self.inner.issuer.name(), refresh_token) {
            Ok(verified) => Ok(self.end_verified(&verified, EndReason::Logout).await?),
            Err(_) => Ok(false),
        }
    }

    pub(super) async fn end_verified(
        &self,
        verified: &VerifiedRefreshToken,
        reason: EndReason,
    ) -> Result<bool, StoreError> {
        let secret_hash = verified.secret.hash();
        self.end_selected(
            &SessionSelector::ByToken { id: verified.session_id, secret_hash },
            reason,
        )
        .await
    }

    /// Ends this session of the subject; false when it is not theirs, or over already.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] when it is not certain that the session is over.
    pub async fn end(&self, subject: &str, id: SessionId) -> Result<bool, SessionError> {
        let selector = SessionSelector::Owned { issuer: self.inner.issuer.name(), subject, id };
        Ok(self.end_selected(&selector, EndReason::Logout).await?)
    }

    /// Ends all sessions that the subject has when this is called, and returns how many.
    ///
    /// They are ended in batches, the oldest first, so that others are served in between however many there
    /// are. A session that starts meanwhile goes on.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] when it is not certain that all of them are over. Those of the batches before
    /// the one that failed are; the same call ends the others.
    pub async fn end_all(&self, subject: &str) -> Result<usize, SessionError> {
        Ok(self.end_many(subject, None).await?)
    }

    /// Ends all sessions of the subject but this one, as after a change of password, and returns how many. It
    /// goes about it as [`end_all`](Self::end_all) does.
    ///
    /// # Errors
    ///
    /// As [`end_all`](Self::end_all).
    pub async fn end_others(&self, subject: &str, keep: SessionId) -> Result<usize, SessionError> {
        Ok(self.end_many(subject, Some(keep)).await?)
    }

    /// Returns the live sessions of the subject, the oldest first, a page of at most 100 at a time: from the
    /// first one on, or after where the page before ended.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] when the store cannot be asked.
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
        Ok(self.inner.store.list(self.inner.issuer.name(), subject, after, PAGE).await?)
    }

    /// Revokes a token by its `jti`, a session by its `sid`, or the older tokens of a foreign subject. It holds
    /// on this node when this returns, and on others as soon as they have read the log.
    ///
    /// To end a session of our own, use [`end`](Self::end): its refresh token goes with it.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] when it is not certain that the log has it.
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
        // It may have been ended by another node, or by a call whose answer was lost: what is answered now must
        // hold here, too.
        if let Some(snapshot) = self.inner.store.load(*id).await? {
            self.note_if_ended(&snapshot.session);
        }
        Ok(false)
    }

    /// Ends the subject's sessions, in a task of its own: what has been begun is brought to its end though nobody
    /// waits for it any more.
    async fn end_many(&self, subject: &str, keep: Option<SessionId>) -> Result<usize, StoreError> {
        let (sessions, subject) = (self.clone(), subject.to_owned());
        let ending = async move { sessions.end_batches(&subject, keep).await };
        let ended = self.spawn(ending).await;
        ended.unwrap_or_else(|error| Err(StoreError::unavailable(error)))
    }

    /// Ends the subject's sessions a batch at a time.
    async fn end_batches(
        &self,
        subject: &str,
        keep: Option<SessionId>,
    ) -> Result<usize, StoreError> {
        let (issuer, reason) = (self.inner.issuer.name(), EndReason::Logout);
        let mut batch =
            EndBatch { issuer, subject, keep, after: None, through: None, limit: BATCH, reason };
        let mut count = 0;
        loop {
            let begun = Instant::now();
            let ended = match self.inner.store.end_batch(&batch).await {
                Ok(ended) => ended,
                Err(error) => {
                    // It may have happened, and then only the log knows which sessions ended.
                    self.inner.lost_endings.lost.fetch_add(1, Ordering::SeqCst);
                    return Err(error);
                }
            };
            self.inner.revocations.record(&ended.revocations);
            count += ended.revocations.len();
            if ended.next.is_none() {
                break;
            }
            (batch.after, batch.through) = (ended.next, Some(ended.through));
            // Half of the store's time is for others.
            sleep(begun.elapsed().min(MAX_PAUSE)).await;
        }
        let lost = self.inner.lost_endings.lost.load(Ordering::SeqCst);
        if self.inner.lost_endings.in_list.load(Ordering::SeqCst) < lost {
            self.inner.revocations.catch_up(std::time::Instant::now()).await?;
            self.inner.lost_endings.in_list.fetch_max(lost, Ordering::SeqCst);
        }
        tracing::debug!(count, reason = reason.as_str(), "sessions of a subject were ended");
        Ok(count)
    }

    /// Takes note of a session that turns out to have been ended.
    pub(super) fn note_if_ended(&self, session: &Session) {
        let row = session.record();
        if row.ended.is_some() {
            self.inner.revocations.record(&[row.revocation()]);
        }
    }

    /// Ends the sessions that the holder of these refresh tokens asks for.
    ///
    /// To end this session, each token ends its own. To end others, one token must count
    /// ([`choose`](Self::choose)) and be good for a refresh.
    pub(crate) async fn logout(
        &self,
        verified: Vec<VerifiedRefreshToken>,
        scope: LogoutScope,
        client: &ClientInfo,
    ) -> Result<(), RefreshError> {
        if scope == LogoutScope::Current {
            let verified = self.to_be_ended(verified);
            if verified.len() > MAX_ENDED_BY_TOKEN {
                return Err(RefreshRejection::Ambiguous.into());
            }
            for verified in &verified {
                self.end_verified(verified, EndReason::Logout).await?;
            }
            return Ok(());
        }
        let verified = self.choose(verified, client).await?;
        let session = self.refreshable(&verified, client).await?;
        // Its own session last: whoever is answered that the others may go on must be able to ask again.
        self.end_many(session.subject(), Some(session.id())).await?;
        if scope == LogoutScope::All {
            self.end_one(session.id(), EndReason::Logout).await?;
        }
        Ok(())
    }
}
