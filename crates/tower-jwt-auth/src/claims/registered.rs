use std::borrow::Cow;

use tower_jwt_auth_core::Timestamp;

use super::claim::Claim;
use super::values::Audience;

/// The claims that this library writes and reads. The application's type may read them, but not write them.
pub(crate) const REGISTERED: [&str; 11] =
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "sid", "auth_time", "scope"];

/// The registered claims of a token.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RegisteredClaims<'s> {
    pub(crate) iss: Claim<Cow<'s, str>>,
    pub(crate) sub: Claim<Cow<'s, str>>,
    pub(crate) aud: Claim<Audience<'s>>,
    pub(crate) exp: Claim<Timestamp>,
    pub(crate) nbf: Claim<Timestamp>,
    pub(crate) iat: Claim<Timestamp>,
    pub(crate) jti: Claim<Cow<'s, str>>,
    pub(crate) sid: Claim<Cow<'s, str>>,
    pub(crate) client_id: Claim<Cow<'s, str>>,
    pub(crate) auth_time: Claim<Timestamp>,
    pub(crate) scope: Claim<Cow<'s, str>>,
}
