use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{SessionId, SessionPage, SessionPosition};

use super::{SessionError, Sessions};
use crate::identity::Identity;

/// What callers do with their own sessions. A caller that another issuer identifies has none here, whatever its subject.
impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Returns a page of the caller's live sessions, as [`list`](Self::list) does.
    ///
    /// # Errors
    ///
    /// - [`SessionError::OtherIssuer`] for an identity of another issuer.
    /// - [`SessionError::Store`] if the store cannot be queried.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey, Timestamp, Verifier};
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// # let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
    /// # let tokens = sessions.start(SignIn::new("alice")).await?;
    /// # let now = Timestamp::from(std::time::SystemTime::now());
    /// // In a handler, the layer provides the identity.
    /// let identity = Verifier::new(sessions.issuer()).verify(tokens.access().as_str(), now)?;
    /// let page = sessions.list_for(&identity, None).await?;
    /// assert_eq!(page.sessions[0].subject(), "alice");
    /// assert_eq!(sessions.end_all_for(&identity).await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_for(
        &self,
        identity: &Identity,
        after: Option<SessionPosition>,
    ) -> Result<SessionPage, SessionError> {
        self.list(self.own_subject(identity)?, after).await
    }

    /// Ends this session of the caller, as [`end`](Self::end) does.
    ///
    /// # Errors
    ///
    /// - [`SessionError::OtherIssuer`] for an identity of another issuer.
    /// - [`SessionError::Store`] if it is not certain that the session has ended.
    pub async fn end_for(&self, identity: &Identity, id: SessionId) -> Result<bool, SessionError> {
        self.end(self.own_subject(identity)?, id).await
    }

    /// Ends the caller's sessions, as [`end_all`](Self::end_all) does.
    ///
    /// # Errors
    ///
    /// [`SessionError::OtherIssuer`] for an identity of another issuer, and the errors of [`end_all`](Self::end_all).
    pub async fn end_all_for(&self, identity: &Identity) -> Result<usize, SessionError> {
        self.end_all(self.own_subject(identity)?).await
    }

    /// Ends the caller's sessions except the one of the access token, as [`end_others`](Self::end_others) does.
    ///
    /// # Errors
    ///
    /// [`SessionError::OtherIssuer`] for an identity of another issuer or without a session, and the errors of
    /// [`end_all`](Self::end_all).
    pub async fn end_others_for(&self, identity: &Identity) -> Result<usize, SessionError> {
        let subject = self.own_subject(identity)?;
        let current = identity.session_id().and_then(|id| id.parse().ok());
        self.end_others(subject, current.ok_or(SessionError::OtherIssuer)?).await
    }

    /// Returns the subject of an identity of this issuer.
    fn own_subject<'i>(&self, identity: &'i Identity) -> Result<&'i str, SessionError> {
        if identity.issuer() == self.inner.issuer.name() {
            Ok(identity.subject())
        } else {
            Err(SessionError::OtherIssuer)
        }
    }
}
