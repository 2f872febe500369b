//! HTTP endpoints: [`RefreshService`], [`LogoutService`], [`JwksService`], and what a login reads of its request and
//! writes into its response.

mod cookie;
mod endpoint;
#[cfg(feature = "axum")]
mod errors;
mod future;
mod jwks;
mod logout;
mod refresh;
mod sign_in;
mod token_response;

pub use self::cookie::{RefreshCookie, SameSite};
pub use self::future::EndpointFuture;
pub use self::jwks::JwksService;
pub use self::logout::LogoutService;
pub use self::refresh::RefreshService;
