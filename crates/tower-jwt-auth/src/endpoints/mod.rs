//! HTTP endpoints: [`RefreshService`], [`LogoutService`], [`JwksService`], and the metadata by which others find them:
//! [`AuthorizationServerMetadata`] and [`ProtectedResourceMetadata`].
//!
//! A login is a handler of the application: [`SignIn::with_request`](crate::SignIn::with_request) reads its request,
//! and [`Tokens::into_token_response`](crate::Tokens::into_token_response) creates its response.

mod cookie;
mod document;
mod endpoint;
mod entity_tag;
#[cfg(feature = "axum")]
mod errors;
mod future;
mod headers;
mod jwks;
mod logout;
mod metadata;
mod refresh;
mod responder;
mod sign_in;
mod token_response;

pub use self::cookie::{RefreshCookie, SameSite};
pub use self::future::EndpointFuture;
pub use self::jwks::JwksService;
pub use self::logout::LogoutService;
pub use self::metadata::{AuthorizationServerMetadata, MetadataService, ProtectedResourceMetadata};
pub use self::refresh::RefreshService;
