//! Access token checks: [`JwtAuthLayer`] authenticates requests, the `Require…Layer`s check scope, login time or a
//! predicate, and [`TokenSource`] and [`OriginPolicy`] set which requests they accept.

mod body;
mod caching;
mod decision;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod layer;
mod pending;
pub mod require;
mod service;
mod token_cache;
mod verification_limit;

pub use self::body::AuthBody;
pub use self::decision::Anonymous;
#[cfg(feature = "axum")]
pub use self::extract::IdentityRejection;
pub use self::future::ResponseFuture;
pub use self::layer::JwtAuthLayer;
pub use self::require::{
    RequireAnyScopeLayer, RequireFreshLoginLayer, RequireLayer, RequireScopeLayer,
};
pub use self::service::JwtAuth;
pub use crate::http::challenge::AuthError;
pub use crate::http::origin::{CrossSite, OriginPolicy};
pub use crate::http::token_source::TokenSource;

#[cfg(test)]
mod tests;
