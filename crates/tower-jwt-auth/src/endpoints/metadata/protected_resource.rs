use http::Uri;
use serde::Serialize;

use super::members::Members;
use super::service::MetadataService;
use crate::error::ConfigError;
use crate::http::token_source::TokenSource;
use crate::url::{origin, parse_issuer, parse_published};

const WITH_SETTER: &[&str] = &[
    "resource",
    "authorization_servers",
    "jwks_uri",
    "scopes_supported",
    "bearer_methods_supported",
    "resource_name",
    "resource_documentation",
    "resource_policy_uri",
    "resource_tos_uri",
];

/// The metadata of a protected resource (RFC 9728 §2): which authorization servers issue tokens for an API, and which
/// scopes it knows. A client that starts from the API's URL alone finds its way by it.
///
/// [`JwtAuthLayer::with_resource_metadata`](crate::JwtAuthLayer::with_resource_metadata) names its URL in challenges.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::endpoints::ProtectedResourceMetadata;
/// use tower_jwt_auth::{JwtAuthLayer, RevocationList, TokenSource};
/// # use tower_jwt_auth::{Issuer, SigningKey, Verifier};
///
/// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example/v1", SigningKey::generate()?)?;
/// # let verifier = Verifier::new(&issuer);
/// let source = TokenSource::authorization_header();
/// let metadata = ProtectedResourceMetadata::new("https://api.shop.example/v1")?
///     .with_authorization_servers(["https://shop.example"])?
///     .with_scopes(["read", "write"])?
///     .with_token_source(&source);
/// let auth = JwtAuthLayer::new(verifier, RevocationList::none())
///     .with_source(source)
///     .with_resource_metadata(&metadata.well_known_url())?;
///
/// let app: axum::Router = axum::Router::new()
///     .route("/v1/orders", axum::routing::get("orders"))
///     .route_layer(auth)
///     .route_service(&metadata.well_known_path(), metadata.service());
/// assert_eq!(metadata.well_known_path(), "/.well-known/oauth-protected-resource/v1");
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ProtectedResourceMetadata {
    resource: Uri,
    members: Members,
}

impl ProtectedResourceMetadata {
    /// Creates the metadata of the resource with this identifier, which is usually the URL of the API and the `aud` of
    /// its tokens. Clients compare it byte by byte (RFC 9728 §3.3).
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Url`] if it is neither https nor http of a loopback host, or has a query or a fragment
    /// (RFC 9728 §1.2). The RFC allows a query, but a router cannot find the document by it.
    pub fn new(resource: &str) -> Result<Self, ConfigError> {
        let invalid = |problem| ConfigError::Url { what: "resource", problem };
        if resource.contains('?') {
            return Err(invalid("it has a query"));
        }
        let url = parse_published(resource).map_err(invalid)?;
        let members = Members::new("resource", resource, &url, WITH_SETTER);
        Ok(Self { resource: url, members })
    }

    /// Sets `authorization_servers`, the issuers whose tokens the resource accepts.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Url`] if one of them is not https, or has a query or a fragment (RFC 8414 §2). It may be
    /// http of a loopback host if the resource is.
    pub fn with_authorization_servers(
        mut self,
        issuers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, ConfigError> {
        let (name, issuers) = ("authorization_servers", issuers.into_iter().map(Into::into));
        let issuers: Vec<String> = issuers.collect();
        for issuer in &issuers {
            parse_issuer(issuer).map_err(|problem| ConfigError::Url { what: name, problem })?;
            self.members.check_url(name, issuer)?;
        }
        self.members.set_list(name, issuers);
        Ok(self)
    }

    /// Sets `jwks_uri`, the URL of keys of the resource itself, such as those that sign its responses. The keys of
    /// access tokens are those of the authorization servers.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Url`] if it is not https, or has a fragment. It may be http of a loopback host if the
    /// resource is.
    pub fn with_jwks_uri(mut self, url: &str) -> Result<Self, ConfigError> {
        self.members.set_url("jwks_uri", url)?;
        Ok(self)
    }

    /// Sets `scopes_supported`. The list may be incomplete.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Scope`] if one of them is not a single scope (RFC 6749 §3.3).
    pub fn with_scopes(
        mut self,
        scopes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, ConfigError> {
        self.members.set_scopes(scopes)?;
        Ok(self)
    }

    /// Sets `bearer_methods_supported` to the locations of RFC 6750 §2 where the layer looks for a token. A cookie is
    /// not one of them.
    pub fn with_token_source(mut self, source: &TokenSource) -> Self {
        self.members.set_list("bearer_methods_supported", source.bearer_methods());
        self
    }

    /// Sets `resource_name`, for people. Names in other languages are members such as `resource_name#fr` (RFC 9728
    /// §2.1).
    pub fn with_resource_name(mut self, name: impl Into<String>) -> Self {
        self.members.set_text("resource_name", name.into());
        self
    }

    /// Sets `resource_documentation`, the URL of a page for developers.
    ///
    /// # Errors
    ///
    /// As [`with_jwks_uri`](Self::with_jwks_uri), but it may have a fragment.
    pub fn with_resource_documentation(mut self, url: &str) -> Result<Self, ConfigError> {
        self.members.set_page("resource_documentation", url)?;
        Ok(self)
    }

    /// Sets `resource_policy_uri`, the URL of a page on how clients may use the data.
    ///
    /// # Errors
    ///
    /// As [`with_resource_documentation`](Self::with_resource_documentation).
    pub fn with_resource_policy_uri(mut self, url: &str) -> Result<Self, ConfigError> {
        self.members.set_page("resource_policy_uri", url)?;
        Ok(self)
    }

    /// Sets `resource_tos_uri`, the URL of the terms of service.
    ///
    /// # Errors
    ///
    /// As [`with_resource_documentation`](Self::with_resource_documentation).
    pub fn with_resource_tos_uri(mut self, url: &str) -> Result<Self, ConfigError> {
        self.members.set_page("resource_tos_uri", url)?;
        Ok(self)
    }

    /// Sets another member, such as one of the registry of RFC 9728 §8.1. `null` and an empty list remove it.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::MetadataMember`] if the member has a setter here, or the value cannot be serialized.
    pub fn with_member(mut self, name: &str, value: impl Serialize) -> Result<Self, ConfigError> {
        self.members.set_other(name, &value)?;
        Ok(self)
    }

    /// Returns the path of the document on the host of the resource (RFC 9728 §3.1):
    /// `/.well-known/oauth-protected-resource`, followed by the path of the resource. A slash after the host is left out, and
    /// one at the end of a path is kept.
    pub fn well_known_path(&self) -> String {
        let path = self.resource.path();
        let path = if path == "/" { "" } else { path };
        format!("/.well-known/oauth-protected-resource{path}")
    }

    /// Returns the URL of the document, for
    /// [`JwtAuthLayer::with_resource_metadata`](crate::JwtAuthLayer::with_resource_metadata).
    pub fn well_known_url(&self) -> String {
        format!("{}{}", origin(&self.resource), self.well_known_path())
    }

    /// Returns the document as JSON.
    pub fn to_json(&self) -> String {
        self.members.to_json()
    }

    /// Creates the endpoint of the document.
    pub fn service(&self) -> MetadataService {
        MetadataService::new(self.to_json())
    }
}
