//! The middleware that checks access tokens.

mod body;
mod caching;
mod decide;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod layer;
mod require;
mod service;

pub use self::body::AuthBody;
pub use self::decide::Anonymous;
#[cfg(feature = "axum")]
pub use self::extract::IdentityRejection;
pub use self::future::ResponseFuture;
pub use self::layer::{JwtAuthLayer, OptionalJwtAuthLayer};
pub use self::require::{RequireFreshLogin, RequireScope, Required, RequiredFuture};
pub use self::service::JwtAuth;

#[cfg(test)]
mod tests;
