use tower_jwt_auth_core::{RevocationKey, StoreError};

use crate::identity::Identity;
use crate::revocation::list::RevocationList;

/// The status of an access token after it was accepted.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::revocation::TokenStatus;
///
/// /// Returns the close code of a WebSocket (RFC 6455 §7.4) whose access token has this status.
/// fn close_code(status: TokenStatus) -> Option<u16> {
///     match status {
///         TokenStatus::Valid => None,
///         TokenStatus::Expired | TokenStatus::Revoked => Some(1008),
///     }
/// }
/// assert_eq!(close_code(TokenStatus::Revoked), Some(1008));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenStatus {
    /// The token has neither expired nor been revoked.
    Valid,
    /// The `exp` of the token (RFC 7519 §4.1.4) has passed, and so has the leeway with which it was accepted.
    Expired,
    /// The token, its session or the older tokens of its subject have been revoked.
    Revoked,
}

impl RevocationList {
    /// Returns the status of the access token of this identity, for a connection that outlives its request.
    ///
    /// The list drops a revocation some minutes after the last token that it concerns has expired. A revoked token is
    /// [`Revoked`](TokenStatus::Revoked) until then and [`Expired`](TokenStatus::Expired) afterwards, never
    /// [`Valid`](TokenStatus::Valid) again. If the list is incomplete or more than 30 seconds stale, this queries the
    /// store, and checks the expiry once the store has answered.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the query fails and the token has not expired.
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
        let is_revoked = self.is_any_revoked(&keys, self.now()).await;
        // The clock is read after the lookup: in the meantime the list may drop an entry, and the token may expire.
        match is_revoked {
            Ok(true) => Ok(TokenStatus::Revoked),
            Ok(false) | Err(_) if identity.is_expired(self.now()) => Ok(TokenStatus::Expired),
            Ok(false) => Ok(TokenStatus::Valid),
            Err(error) => Err(error),
        }
    }
}
