use std::time::Duration;

use tower_layer::Layer;

use super::{Require, Requirement};
use crate::error::ConfigError;
use crate::http::challenge::AuthError;
use crate::identity::Identity;

/// Requires that the user authenticated recently (RFC 9470). A refresh does not count as authentication.
///
/// Otherwise, and for a token without `auth_time`, the response is 401 `insufficient_user_authentication` with
/// `max_age` (RFC 9470 §3).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::RequireFreshLoginLayer;
///
/// let layer = RequireFreshLoginLayer::new(Duration::from_secs(300))?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireFreshLoginLayer {
    max_age: Duration,
}

impl RequireFreshLoginLayer {
    /// Creates a layer that requires a login less than `max_age` ago, in whole seconds.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Duration`] below one second or with a fraction of a second.
    pub fn new(max_age: Duration) -> Result<Self, ConfigError> {
        if max_age.is_zero() || max_age.subsec_nanos() != 0 {
            let hint = "give whole seconds, at least one";
            return Err(ConfigError::Duration {
                what: "maximum age of a login",
                given: max_age,
                hint,
            });
        }
        Ok(Self { max_age })
    }
}

impl Requirement for RequireFreshLoginLayer {
    const LAYER: &'static str = "RequireFreshLoginLayer";

    fn check(&self, identity: &Identity) -> Result<(), AuthError> {
        let is_fresh =
            identity.auth_time().is_some_and(|at| identity.verified_at() < at + self.max_age);
        match is_fresh {
            true => Ok(()),
            false => Err(AuthError::StaleLogin { max_age: self.max_age }),
        }
    }
}

impl<S> Layer<S> for RequireFreshLoginLayer {
    type Service = Require<S, Self>;

    fn layer(&self, inner: S) -> Require<S, Self> {
        Require::new(inner, self.clone())
    }
}
