use http::Uri;
use serde::Serialize;

use super::members::Members;
use super::service::MetadataService;
use crate::error::ConfigError;
use crate::url::{self, oauth_metadata_path, openid_configuration_path, parse_published};

const WITH_SETTER: &[&str] = &[
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "jwks_uri",
    "response_types_supported",
    "grant_types_supported",
    "token_endpoint_auth_methods_supported",
    "code_challenge_methods_supported",
    "scopes_supported",
    "service_documentation",
];

/// The metadata of an authorization server (RFC 8414 §2): its issuer identifier, and where its keys and endpoints are.
///
/// Services that verify the issuer's tokens find its keys by it, as
#[cfg_attr(
    feature = "jwks",
    doc = "[`RemoteKeySet::discover`](crate::keys::RemoteKeySet::discover)"
)]
#[cfg_attr(not(feature = "jwks"), doc = "`RemoteKeySet::discover`")]
/// does. They need [`with_jwks_uri`](Self::with_jwks_uri) alone. The endpoints are those of the application: the
/// refresh cookie of this library is not an OAuth grant.
///
/// # OpenID Connect
///
/// Clients of OpenID Connect look for the document at [another path](Self::openid_configuration_path), where the same
/// service can be mounted. OpenID Connect Discovery §3 requires more members of it: `authorization_endpoint`,
/// `token_endpoint`, `jwks_uri`, and, by [`with_member`](Self::with_member), `subject_types_supported` and
/// `id_token_signing_alg_values_supported`. This library issues no ID tokens, so without them the document is for
/// services that verify tokens and not for a login.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::endpoints::AuthorizationServerMetadata;
/// use tower_jwt_auth::{Issuer, SigningKey};
///
/// let issuer = Issuer::new("https://shop.example/login", "https://api.shop.example", SigningKey::generate()?)?;
/// let metadata = AuthorizationServerMetadata::new(issuer.name())?
///     .with_jwks_uri("https://shop.example/login/jwks.json")?
///     .with_scopes(["read", "write"])?;
/// assert_eq!(metadata.well_known_path(), "/.well-known/oauth-authorization-server/login");
///
/// let app: axum::Router = axum::Router::new()
///     .route_service("/login/jwks.json", issuer.jwks())
///     .route_service(&metadata.well_known_path(), metadata.service());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthorizationServerMetadata {
    issuer: Uri,
    members: Members,
}

impl AuthorizationServerMetadata {
    /// Creates the metadata of this issuer: the `iss` of its tokens, byte by byte, since clients compare it
    /// (RFC 8414 §3.3).
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Url`] if it is neither https nor http of a loopback host, or has a query or a fragment
    /// (RFC 8414 §2).
    pub fn new(issuer: &str) -> Result<Self, ConfigError> {
        let invalid = |problem| ConfigError::Url { what: "issuer", problem };
        let url =
            url::parse_issuer(issuer).and_then(|_| parse_published(issuer)).map_err(invalid)?;
        let mut members = Members::new("issuer", issuer, &url, WITH_SETTER);
        members.set_required_list("response_types_supported", [""; 0]);
        Ok(Self { issuer: url, members })
    }

    /// Sets `jwks_uri`, the URL of the [JWK set](crate::JwksService).
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Url`] if it is not https, or has a fragment. It may be http of a loopback host if the
    /// issuer is.
    pub fn with_jwks_uri(mut self, url: &str) -> Result<Self, ConfigError> {
        self.members.set_url("jwks_uri", url)?;
        Ok(self)
    }

    /// Sets `authorization_endpoint`, which is required unless no grant type uses it.
    ///
    /// # Errors
    ///
    /// As [`with_jwks_uri`](Self::with_jwks_uri).
    pub fn with_authorization_endpoint(mut self, url: &str) -> Result<Self, ConfigError> {
        self.members.set_url("authorization_endpoint", url)?;
        Ok(self)
    }

    /// Sets `token_endpoint`, which is required of a server that issues tokens to OAuth clients.
    ///
    /// # Errors
    ///
    /// As [`with_jwks_uri`](Self::with_jwks_uri).
    pub fn with_token_endpoint(mut self, url: &str) -> Result<Self, ConfigError> {
        self.members.set_url("token_endpoint", url)?;
        Ok(self)
    }

    /// Sets `revocation_endpoint` (RFC 7009).
    ///
    /// # Errors
    ///
    /// As [`with_jwks_uri`](Self::with_jwks_uri).
    pub fn with_revocation_endpoint(mut self, url: &str) -> Result<Self, ConfigError> {
        self.members.set_url("revocation_endpoint", url)?;
        Ok(self)
    }

    /// Sets `response_types_supported`, such as `code`. The member is required: unless set it is an empty list, that of
    /// a server without an authorization endpoint.
    pub fn with_response_types(
        mut self,
        types: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.members.set_required_list("response_types_supported", types);
        self
    }

    /// Sets `grant_types_supported`. If the member is missing, clients assume `authorization_code` and `implicit`.
    pub fn with_grant_types(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.members.set_list("grant_types_supported", types);
        self
    }

    /// Sets `token_endpoint_auth_methods_supported`. If the member is missing, clients assume `client_secret_basic`.
    pub fn with_token_endpoint_auth_methods(
        mut self,
        methods: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.members.set_list("token_endpoint_auth_methods_supported", methods);
        self
    }

    /// Sets `code_challenge_methods_supported`, such as `S256`. If the member is missing, clients assume that the
    /// server does not support PKCE.
    pub fn with_code_challenge_methods(
        mut self,
        methods: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.members.set_list("code_challenge_methods_supported", methods);
        self
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

    /// Sets `service_documentation`, the URL of a page for developers.
    ///
    /// # Errors
    ///
    /// As [`with_jwks_uri`](Self::with_jwks_uri), but it may have a fragment.
    pub fn with_service_documentation(mut self, url: &str) -> Result<Self, ConfigError> {
        self.members.set_page("service_documentation", url)?;
        Ok(self)
    }

    /// Sets another member, such as one of the registry of RFC 8414 §7.1. `null` and an empty list remove it.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::MetadataMember`] if the member has a setter here, or the value cannot be serialized.
    pub fn with_member(mut self, name: &str, value: impl Serialize) -> Result<Self, ConfigError> {
        self.members.set_other(name, &value)?;
        Ok(self)
    }

    /// Returns the path of the document on the host of the issuer (RFC 8414 §3.1):
    /// `/.well-known/oauth-authorization-server`, followed by the path of the issuer.
    pub fn well_known_path(&self) -> String {
        oauth_metadata_path(&self.issuer)
    }

    /// Returns the path at which clients of OpenID Connect look for the document (OpenID Connect Discovery §4): the
    /// path of the issuer, followed by `/.well-known/openid-configuration`.
    pub fn openid_configuration_path(&self) -> String {
        openid_configuration_path(&self.issuer)
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
