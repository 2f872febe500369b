//! Access tokens and refresh tokens: [`Issuer`] issues them, [`Verifier`] verifies access tokens, and [`Identity`] and
//! [`Claims`] hold the claims of a verified token.

pub use crate::claims::ClaimsError;
pub use crate::error::{RequestError, TokenError, TokenPart};
pub use crate::identity::{Claims, Identity};
pub use crate::issuer::{AccessToken, IssueError, Issuer};
pub use crate::refresh_token::RefreshToken;
pub use crate::verifier::{TrustedIssuer, TrustedIssuers, Verifier};
