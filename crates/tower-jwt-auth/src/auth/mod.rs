//! Checks of access tokens: [`JwtAuthLayer`], the layers that require more of an identity, and what they read and
//! write of HTTP.

mod body;
mod caching;
mod decision;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod layer;
pub mod require;
mod service;

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
