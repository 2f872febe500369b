use std::sync::Arc;

use tower_layer::Layer;

use super::{Require, Requirement};
use crate::error::ConfigError;
use crate::http::challenge::AuthError;
use crate::identity::Identity;
use crate::scope;

/// Requires a scope, or all of several scopes separated by spaces.
///
/// Otherwise the response is 403 `insufficient_scope` (RFC 6750 §3.1).
///
/// The scope is not bound to an issuer. Where a layer trusts several issuers, use [`RequireLayer`](super::RequireLayer)
/// and compare [`Identity::issuer`](crate::Identity::issuer) as well.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_jwt_auth::{Issuer, JwtAuthLayer, RequireScopeLayer, RevocationList, SigningKey, Verifier};
///
/// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let auth = JwtAuthLayer::new(Verifier::new(&issuer), RevocationList::none());
/// let app: Router = Router::new()
///     .route("/orders", get(async || "orders"))
///     .route("/admin", get(async || "admin").layer(RequireScopeLayer::new("admin")?))
///     .route_layer(auth);
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireScopeLayer {
    scope: Arc<str>,
}

impl RequireScopeLayer {
    /// Creates a layer that requires this scope.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Scope`] if `scope` is not a valid, non-empty scope string (RFC 6749 §3.3).
    pub fn new(scope: &str) -> Result<Self, ConfigError> {
        scope::check(scope)?;
        Ok(Self { scope: scope.into() })
    }
}

impl Requirement for RequireScopeLayer {
    const LAYER: &'static str = "RequireScopeLayer";

    fn check(&self, identity: &Identity) -> Result<(), AuthError> {
        match self.scope.split(' ').all(|scope| identity.has_scope(scope)) {
            true => Ok(()),
            false => Err(AuthError::Scope { scope: Arc::clone(&self.scope) }),
        }
    }
}

impl<S> Layer<S> for RequireScopeLayer {
    type Service = Require<S, Self>;

    fn layer(&self, inner: S) -> Require<S, Self> {
        Require::new(inner, self.clone())
    }
}
