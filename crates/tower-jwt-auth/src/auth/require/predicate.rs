use std::fmt;

use tower_layer::Layer;

use super::{Require, Requirement};
use crate::http::challenge::AuthError;
use crate::identity::Identity;

/// Requires that a predicate accepts the identity.
///
/// Otherwise the response is 403 `access_denied`.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{Identity, RequireLayer};
///
/// #[derive(serde::Deserialize)]
/// struct Profile { roles: Vec<String> }
///
/// let is_editor = |identity: &Identity| {
///     let profile = identity.claims::<Profile>();
///     profile.is_some_and(|profile| profile.roles.iter().any(|role| role == "editor"))
/// };
/// let layer = RequireLayer::new(is_editor);
/// ```
#[derive(Clone)]
#[must_use]
pub struct RequireLayer<F> {
    predicate: F,
}

impl<F: Fn(&Identity) -> bool> RequireLayer<F> {
    /// Creates a layer that accepts the identities for which `predicate` returns `true`.
    pub fn new(predicate: F) -> Self {
        Self { predicate }
    }
}

impl<F: Fn(&Identity) -> bool> Requirement for RequireLayer<F> {
    const LAYER: &'static str = "RequireLayer";

    fn check(&self, identity: &Identity) -> Result<(), AuthError> {
        if (self.predicate)(identity) { Ok(()) } else { Err(AuthError::Forbidden) }
    }
}

impl<S, F: Fn(&Identity) -> bool + Clone> Layer<S> for RequireLayer<F> {
    type Service = Require<S, Self>;

    fn layer(&self, inner: S) -> Require<S, Self> {
        Require::new(inner, self.clone())
    }
}

impl<F> fmt::Debug for RequireLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireLayer").finish_non_exhaustive()
    }
}
