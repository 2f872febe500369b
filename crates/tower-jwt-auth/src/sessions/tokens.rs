use crate::issuer::AccessToken;
use crate::refresh_token::RefreshToken;

/// An access token and a refresh token: the result of a sign-in or a refresh.
///
/// # Examples
///
/// ```
/// # use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey};
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// # let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
/// let tokens = sessions.start(SignIn::new("alice")).await?;
/// let authorization = format!("Bearer {}", tokens.access().as_str());
/// let next = sessions.refresh(tokens.refresh().as_str()).await?;
/// assert_eq!(next.refresh().session_id(), tokens.refresh().session_id());
/// # let _ = authorization;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Tokens {
    pub(crate) access: AccessToken,
    pub(crate) refresh: RefreshToken,
}

impl Tokens {
    /// Returns the access token.
    pub fn access(&self) -> &AccessToken {
        &self.access
    }

    /// Returns the refresh token.
    pub fn refresh(&self) -> &RefreshToken {
        &self.refresh
    }
}
