//! Access tokens and refresh tokens: who issues them, who verifies them, what they say.

pub use crate::claims::ClaimsError;
pub use crate::error::{RequestError, TokenError, TokenPart};
pub use crate::identity::{Claims, Identity};
pub use crate::issuer::{AccessToken, IssueError, Issuer};
pub use crate::refresh_token::RefreshToken;
pub use crate::verifier::{TrustedIssuer, Verifier};
