use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{Device, EndReason, Revocation, Session, SessionId, StoreError, Which};

use super::{RefreshError, SessionError, Sessions};
use crate::refresh_token::{self, Opened};

/// Which sessions someone who holds a refresh token wants to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    ThisSession,
    Everywhere,
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
        match refresh_token::open(&self.secrets, self.issuer.name(), refresh_token) {
            Ok(opened) => Ok(self.end_opened(&opened, EndReason::Logout).await? > 0),
            Err(_) => Ok(false),
        }
    }

    pub(super) async fn end_opened(
        &self,
        opened: &Opened,
        reason: EndReason,
    ) -> Result<usize, StoreError> {
        let secret_hash = opened.secret.hash();
        self.end_which(&Which::Presented { id: opened.session_id, secret_hash }, reason).await
    }

    /// Ends this session of the subject; false when it is not theirs, or over already.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] when it is not certain that the session is over.
    pub async fn end(&self, subject: &str, id: SessionId) -> Result<bool, SessionError> {
        let which = Which::Owned { issuer: self.issuer.name(), subject, id };
        Ok(self.end_which(&which, EndReason::Logout).await? > 0)
    }

    /// Ends all sessions of the subject; tells how many.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] when it is not certain that they are over.
    pub async fn end_all(&self, subject: &str) -> Result<usize, SessionError> {
        let which = Which::All { issuer: self.issuer.name(), subject };
        Ok(self.end_which(&which, EndReason::Logout).await?)
    }

    /// Ends all sessions of the subject but this one, as after a change of password; tells how many.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] when it is not certain that they are over.
    pub async fn end_others(&self, subject: &str, keep: SessionId) -> Result<usize, SessionError> {
        let which = Which::Others { issuer: self.issuer.name(), subject, keep };
        Ok(self.end_which(&which, EndReason::Logout).await?)
    }

    /// The live sessions of the subject, the oldest first.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] when the store cannot be asked.
    pub async fn list(&self, subject: &str) -> Result<Vec<Session>, SessionError> {
        Ok(self.store.list(self.issuer.name(), subject).await?)
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
        Ok(self.revocations.revoke(revocation).await?)
    }

    pub(super) async fn end_which(
        &self,
        which: &Which<'_>,
        reason: EndReason,
    ) -> Result<usize, StoreError> {
        let revocations = self.store.end(which, reason).await?;
        self.revocations.note(&revocations);
        if !revocations.is_empty() {
            tracing::debug!(count = revocations.len(), reason = reason.as_str(), "ended sessions");
            return Ok(revocations.len());
        }
        if let Which::One { id } | Which::Presented { id, .. } | Which::Owned { id, .. } = which {
            // It may have been ended by another node, or by a call whose answer was lost: what is answered
            // now must hold here, too.
            if let Some(loaded) = self.store.load(*id).await? {
                self.note_if_ended(&loaded.session);
            }
        }
        Ok(0)
    }

    /// Takes note of a session that turns out to have been ended.
    pub(super) fn note_if_ended(&self, session: &Session) {
        let row = session.parts();
        if row.ended.is_some() {
            self.revocations.note(&[row.revocation()]);
        }
    }

    /// Ends what someone wants to end who holds these refresh tokens.
    ///
    /// Each of them ends its own session. For others' there must be one of them that counts, and it must be
    /// good for a refresh.
    pub(crate) async fn end_reaching(
        &self,
        opened: Vec<Opened>,
        reach: Reach,
        client: &Device,
    ) -> Result<(), RefreshError> {
        if reach == Reach::ThisSession {
            for opened in &opened {
                self.end_opened(opened, EndReason::Logout).await?;
            }
            return Ok(());
        }
        let opened = self.choose(opened).await?;
        let session = self.refreshable(&opened, client).await?;
        let row = session.parts();
        let (issuer, subject) = (row.issuer.as_str(), row.subject.as_str());
        let which = match reach {
            Reach::Others => Which::Others { issuer, subject, keep: row.id },
            Reach::Everywhere | Reach::ThisSession => Which::All { issuer, subject },
        };
        self.end_which(&which, EndReason::Logout).await?;
        Ok(())
    }
}
