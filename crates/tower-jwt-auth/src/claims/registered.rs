/// The claims that this library writes and reads. The application's type may read them, but not write them.
pub(crate) const REGISTERED: [&str; 11] =
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "sid", "auth_time", "scope"];
