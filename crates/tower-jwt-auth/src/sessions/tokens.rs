use crate::issuer::AccessToken;
use crate::refresh_token::RefreshToken;

/// An access token and a refresh token: the result of a sign-in or a refresh.
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
