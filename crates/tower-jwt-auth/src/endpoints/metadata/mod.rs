//! Metadata documents: of an authorization server (RFC 8414), and of a protected resource (RFC 9728).

mod authorization_server;
mod members;
mod protected_resource;
mod service;

pub use self::authorization_server::AuthorizationServerMetadata;
pub use self::protected_resource::ProtectedResourceMetadata;
pub use self::service::MetadataService;
