use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth_core::Timestamp;

use crate::claims::{self, ACCESS_TOKEN_TYPE, RegisteredClaims, ValidationRules, check_name};
use crate::error::{ConfigError, TokenError};
use crate::issuer::Issuer;
use crate::jws::Header;
use crate::keys::{KeySource, SignedMessage, VerifyError};

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
    keys: KeySource,
    rules: ValidationRules,
    allows_plain_type: bool,
}

impl TrustedIssuer {
    /// Creates a trusted issuer named `iss`, whose tokens are accepted if their `aud` is or contains `aud` and one of
    /// these keys has signed them.
    ///
    /// Clocks may differ by 30 seconds, unless set. The claims of RFC 9068 §2.2 are required: `iss`, `exp`, `aud`,
    /// `sub`, `client_id`, `iat`, `jti`.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Name`] if a name is empty or contains control characters.
    pub fn new(
        iss: impl Into<String>,
        aud: impl Into<String>,
        keys: impl Into<KeySource>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            name: check_name(
                iss.into(),
                "issuer",
                "give the iss claim, as in https://login.example",
            )?,
            audience: check_name(
                aud.into(),
                "audience",
                "give the aud claim, as in https://api.example",
            )?,
            keys: keys.into(),
            rules: ValidationRules {
                leeway: Duration::from_secs(30),
                requires_profile: true,
                requires_token_id: true,
                requires_session_id: false,
            },
            allows_plain_type: false,
        })
    }

    /// Sets by how much clocks may differ (RFC 7519 §4.1.4); 30 seconds, unless set.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Duration`] above five minutes.
    pub fn with_leeway(mut self, leeway: Duration) -> Result<Self, ConfigError> {
        self.rules.leeway = claims::check_leeway(leeway)?;
        Ok(self)
    }

    /// Accepts tokens without `jti`. Such a token can only be revoked with its session or with all tokens of its
    /// subject.
    pub fn allow_missing_token_id(mut self) -> Self {
        self.rules.requires_token_id = false;
        self
    }

    /// Accepts `typ: JWT` and tokens without `typ`, and requires only `iss`, `sub`, `aud` and `exp`.
    ///
    /// Dangerous: ID tokens and any other tokens that the issuer signs with the same key for the same audience are then
    /// accepted as access tokens (RFC 8725 §3.11).
    pub fn dangerous_allow_plain_jwt_type(mut self) -> Self {
        self.allows_plain_type = true;
        self.rules.requires_profile = false;
        self.rules.requires_token_id = false;
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(crate) fn leeway(&self) -> Duration {
        self.rules.leeway
    }

    /// Validates type, audience, times and presence of claims.
    pub(crate) fn validate(
        &self,
        header: &Header<'_>,
        registered: &RegisteredClaims<'_>,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let plain = self.allows_plain_type && (header.typ.is_none() || header.has_type("jwt"));
        if !plain && !header.has_type(ACCESS_TOKEN_TYPE) {
            return Err(TokenError::Type);
        }
        claims::validate(registered, &self.audience, &self.rules, now)
    }

    /// Verifies the signature with the issuer's keys.
    pub(crate) fn verify_signature(
        &self,
        header: &Header<'_>,
        input: &str,
        signature: &[u8],
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        let message = SignedMessage {
            key_id: header.key_id.as_deref(),
            algorithm: header.algorithm,
            input: input.as_bytes(),
            signature,
        };
        self.keys.verify(message, now)
    }
}

impl From<&Issuer> for TrustedIssuer {
    /// Trusts the tokens of this issuer: clocks may differ by [`Issuer::with_leeway`], and `sid` is required.
    fn from(issuer: &Issuer) -> Self {
        Self {
            name: issuer.shared_name(),
            audience: issuer.shared_audience(),
            keys: issuer.key_source(),
            rules: ValidationRules {
                leeway: issuer.leeway(),
                requires_profile: true,
                requires_token_id: true,
                requires_session_id: true,
            },
            allows_plain_type: false,
        }
    }
}
