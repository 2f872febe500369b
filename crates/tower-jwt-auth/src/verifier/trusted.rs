use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth_core::Timestamp;

use crate::claims::{self, ACCESS_TOKEN_TYPE, Registered, Requirements, name};
use crate::error::{ConfigError, TokenError};
use crate::issuer::Issuer;
use crate::jws::Header;
use crate::keys::{KeySet, VerifyingKey};

/// An issuer whose access tokens are accepted, for one audience.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::{KeySet, SigningKey, TrustedIssuer};
///
/// let keys = KeySet::new([SigningKey::generate()?.verifying_key().clone()])?;
/// let trusted = TrustedIssuer::new("https://login.example", "https://api.example", keys)?
///     .with_leeway(Duration::from_secs(10))?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TrustedIssuer {
    name: Arc<str>,
    audience: Arc<str>,
    keys: KeySet,
    requirements: Requirements,
    plain_type: bool,
}

impl TrustedIssuer {
    /// Trusts the issuer `iss` for tokens whose `aud` is or contains `aud`, signed with one of these keys.
    ///
    /// Clocks may be 30 seconds apart. The claims of RFC 9068 §2.2 are required: `iss`, `exp`, `aud`, `sub`,
    /// `client_id`, `iat`, `jti`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Name`] when a name is empty.
    pub fn new(
        iss: impl Into<String>,
        aud: impl Into<String>,
        keys: impl Into<KeySet>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            name: name(iss.into(), "issuer", "give the iss claim, as in https://login.example")?,
            audience: name(
                aud.into(),
                "audience",
                "give the aud claim, as in https://api.example",
            )?,
            keys: keys.into(),
            requirements: Requirements {
                leeway: Duration::from_secs(30),
                profile: true,
                token_id: true,
                session: false,
            },
            plain_type: false,
        })
    }

    /// How far clocks may be apart.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Duration`] above five minutes.
    pub fn with_leeway(mut self, leeway: Duration) -> Result<Self, ConfigError> {
        self.requirements.leeway = claims::leeway(leeway)?;
        Ok(self)
    }

    /// Accepts tokens without `jti`. They can only be revoked with their session or all at once.
    pub fn allow_missing_token_id(mut self) -> Self {
        self.requirements.token_id = false;
        self
    }

    /// Accepts `typ: JWT` and tokens without `typ`, and asks only for `iss`, `sub`, `aud` and `exp`.
    ///
    /// Dangerous: ID tokens and others that the issuer signs with the same key for the same audience are then
    /// taken for access tokens (RFC 8725 §3.11).
    pub fn dangerous_allow_plain_jwt_type(mut self) -> Self {
        self.plain_type = true;
        self.requirements.profile = false;
        self.requirements.token_id = false;
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(crate) fn leeway(&self) -> Duration {
        self.requirements.leeway
    }

    pub(crate) fn check(
        &self,
        header: &Header<'_>,
        registered: &Registered<'_>,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let plain = self.plain_type && (header.typ.is_none() || header.has_type("jwt"));
        if !plain && !header.has_type(ACCESS_TOKEN_TYPE) {
            return Err(TokenError::Type);
        }
        claims::check(registered, &self.audience, &self.requirements, now)
    }

    pub(crate) fn key(&self, header: &Header<'_>) -> Result<&VerifyingKey, TokenError> {
        self.keys.choose(header.key_id.as_deref(), header.algorithm)
    }
}

impl From<&Issuer> for TrustedIssuer {
    /// Our own tokens: clocks may be as far apart as [`Issuer::with_leeway`] says, and `sid` is required.
    fn from(issuer: &Issuer) -> Self {
        Self {
            name: issuer.shared_name(),
            audience: issuer.shared_audience(),
            keys: issuer.keys().clone(),
            requirements: Requirements {
                leeway: issuer.leeway(),
                profile: true,
                token_id: true,
                session: true,
            },
            plain_type: false,
        }
    }
}
