use tower_jwt_auth_core::{Clock as _, RevocationKey, StoreError, Timestamp};

use super::{Kind, RevocationList};
use crate::identity::Identity;

/// What has become of a token since it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenStatus {
    /// It has neither expired nor been revoked.
    Valid,
    /// Its `exp` (RFC 7519 §4.1.4) is over, and the leeway with which it was accepted.
    Expired,
    /// It has been revoked: it, its session, or the older tokens of its subject.
    Revoked,
}

impl RevocationList {
    /// What has become of the token of this identity, for a connection that outlives its request.
    ///
    /// A revocation is forgotten some minutes after its last token has expired; a revoked token that has
    /// expired is [`Revoked`](TokenStatus::Revoked) before and [`Expired`](TokenStatus::Expired) after that, and
    /// never [`Valid`](TokenStatus::Valid). The store is asked where the list is incomplete or more than 30
    /// seconds behind; expiry is judged after its answer.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store has to be asked and does not answer, unless the token has expired.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth::revocation::TokenStatus;
    /// use tower_jwt_auth::store::{Clock as _, SystemClock};
    /// use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey, Verifier};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
    /// let tokens = sessions.start(SignIn::new("alice")).await?;
    /// let verifier = Verifier::new(sessions.issuer());
    /// let identity = verifier.verify(tokens.access().as_str(), SystemClock::new().now())?;
    ///
    /// let list = sessions.revocations();
    /// assert_eq!(list.status(&identity).await?, TokenStatus::Valid);
    /// sessions.end_all("alice").await?;
    /// assert_eq!(list.status(&identity).await?, TokenStatus::Revoked);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn status(&self, identity: &Identity) -> Result<TokenStatus, StoreError> {
        let keys: Vec<RevocationKey<'_>> = identity.revocation_keys().collect();
        let answer = self.is_any_revoked(&keys, self.now()).await;
        // The clock is read after the answer: an entry may be forgotten, and a token expire, in the meantime.
        match answer {
            Ok(true) => Ok(TokenStatus::Revoked),
            Ok(false) | Err(_) if identity.is_expired(self.now()) => Ok(TokenStatus::Expired),
            Ok(false) => Ok(TokenStatus::Valid),
            Err(error) => Err(error),
        }
    }

    fn now(&self) -> Timestamp {
        match &self.kind {
            Kind::None(clock) => clock.now(),
            Kind::Following(following) => following.clock.now(),
        }
    }
}
