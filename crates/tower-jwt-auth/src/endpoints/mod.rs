//! The HTTP services around [`Sessions`](crate::Sessions): refresh, logout, and a login's request and answer.

mod cookie;
mod jwks;
mod logout;
mod refresh;
mod sign_in;
mod token_response;

pub use self::cookie::{RefreshCookie, SameSite};
pub use self::jwks::JwksService;
pub use self::logout::LogoutService;
pub use self::refresh::RefreshService;
pub use self::token_response::EndpointFuture;
