use std::sync::Arc;

use tower_layer::Layer;

use super::{Require, Requirement};
use crate::error::ConfigError;
use crate::http::challenge::AuthError;
use crate::identity::Identity;
use crate::scope;

/// Requires at least one of several scopes.
///
/// Otherwise the response is 403 `insufficient_scope` (RFC 6750 §3.1). Its challenge contains the first scope alone,
/// since the `scope` attribute lists scopes that are required together.
///
/// The scope is not bound to an issuer. Where a layer trusts several issuers, use [`RequireLayer`](super::RequireLayer)
/// and compare [`Identity::issuer`](crate::Identity::issuer) as well.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::auth::RequireAnyScopeLayer;
///
/// let layer = RequireAnyScopeLayer::new(["orders:read", "admin"])?;
/// assert!(RequireAnyScopeLayer::new([]).is_err());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireAnyScopeLayer {
    first: Arc<str>,
    others: Arc<[Box<str>]>,
}

impl RequireAnyScopeLayer {
    /// Creates a layer that requires at least one of these scopes. Each is a single scope token.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Scope`] if there is no scope, or one is not a single valid scope token (RFC 6749 §3.3).
    pub fn new<'s>(scopes: impl IntoIterator<Item = &'s str>) -> Result<Self, ConfigError> {
        let mut scopes = scopes.into_iter();
        let first = scopes.next().unwrap_or_default();
        scope::check_token(first)?;
        let others = scopes.map(|scope| scope::check_token(scope).map(|()| scope.into()));
        Ok(Self { first: first.into(), others: others.collect::<Result<_, _>>()? })
    }
}

impl Requirement for RequireAnyScopeLayer {
    const LAYER: &'static str = "RequireAnyScopeLayer";

    fn check(&self, identity: &Identity) -> Result<(), AuthError> {
        let has_other = || self.others.iter().any(|scope| identity.has_scope(scope));
        match identity.has_scope(&self.first) || has_other() {
            true => Ok(()),
            false => Err(AuthError::Scope { scope: Arc::clone(&self.first) }),
        }
    }
}

impl<S> Layer<S> for RequireAnyScopeLayer {
    type Service = Require<S, Self>;

    fn layer(&self, inner: S) -> Require<S, Self> {
        Require::new(inner, self.clone())
    }
}
