use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth_core::Timestamp;

use crate::algorithm::Algorithm;
use crate::claims::{
    self, ACCESS_TOKEN_TYPE, RegisteredClaims, ValidClaims, ValidationRules, check_name,
};
use crate::error::{ConfigError, TokenError};
use crate::issuer::Issuer;
use crate::jws::Header;
use crate::keys::{Admission, KeySource, KeyStamp, SignedMessage, VerifyError};

/// The leeway for tokens of other issuers.
pub(super) const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
/// The maximum lifetime of tokens of other issuers.
pub(super) const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// The type of a JWT of any kind (RFC 7519 §5.1).
pub(super) const PLAIN_TYPE: &str = "jwt";

/// An issuer whose access tokens are accepted, and the rules for them.
///
/// [`new`](Self::new) applies the rules of RFC 9068. The setters adapt them to issuers whose tokens are different.
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
    pub(super) name: Arc<str>,
    /// Another `iss` of its tokens.
    pub(super) alias: Option<Box<str>>,
    pub(super) keys: KeySource,
    pub(super) rules: ValidationRules,
    /// The accepted `typ`s, without `application/`.
    pub(super) types: Arc<[Box<str>]>,
    pub(super) allows_plain_type: bool,
    /// The accepted algorithms; those of the keys for `None`.
    pub(super) algorithms: Option<Arc<[Algorithm]>>,
    /// The scopes that the issuer may grant; all of them for `None`.
    pub(super) scopes: Option<Arc<[Box<str>]>>,
}

impl TrustedIssuer {
    /// Creates a trusted issuer named `iss`, whose tokens are accepted if their `aud` is or contains `aud` and one of
    /// these keys has signed them.
    ///
    /// Unless set, clocks may differ by 30 seconds, a token is valid for at most 24 hours, the `typ` is `at+jwt`, and
    /// the claims of RFC 9068 §2.2 are required: `iss`, `exp`, `aud`, `sub`, `client_id`, `iat`, `jti`. Any algorithm of
    /// the keys is accepted. A `kid` is not required where one key fits the algorithm.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Name`] if a name is empty or contains control characters.
    pub fn new(
        iss: impl Into<String>,
        aud: impl Into<String>,
        keys: impl Into<KeySource>,
    ) -> Result<Self, ConfigError> {
        let rules = ValidationRules {
            max_lifetime: Some(DEFAULT_MAX_LIFETIME),
            ..ValidationRules::rfc9068(check_audience(aud.into())?, DEFAULT_LEEWAY)
        };
        Ok(Self::with_rules(check_issuer(iss.into())?, keys.into(), rules))
    }

    pub(super) fn with_rules(name: Arc<str>, keys: KeySource, rules: ValidationRules) -> Self {
        Self {
            name,
            alias: None,
            keys,
            rules,
            types: Arc::new([ACCESS_TOKEN_TYPE.into()]),
            allows_plain_type: false,
            algorithms: None,
            scopes: None,
        }
    }

    /// Grants no scopes, unless some are listed.
    pub(super) fn granting_listed_scopes(mut self) -> Self {
        self.scopes.get_or_insert_default();
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn alias(&self) -> Option<&str> {
        self.alias.as_deref()
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(super) fn listed_scopes(&self) -> Option<&[Box<str>]> {
        self.scopes.as_deref()
    }

    pub(crate) fn leeway(&self) -> Duration {
        self.rules.leeway
    }

    /// Validates type, algorithm, audience, times and presence of claims.
    pub(crate) fn validate<'s>(
        &self,
        header: &Header<'_>,
        registered: RegisteredClaims<'s>,
        claims: &'s str,
        now: Timestamp,
    ) -> Result<ValidClaims<'s>, TokenError> {
        let plain = self.allows_plain_type && (header.typ.is_none() || header.has_type(PLAIN_TYPE));
        if !plain && !self.types.iter().any(|accepted| header.has_type(accepted)) {
            return Err(TokenError::Type);
        }
        if self.algorithms.as_ref().is_some_and(|accepted| !accepted.contains(&header.algorithm)) {
            return Err(TokenError::Algorithm);
        }
        claims::validate(registered, claims, &self.rules, now)
    }

    /// Verifies the signature with the issuer's keys.
    pub(crate) fn verify_signature(
        &self,
        header: &Header<'_>,
        input: &str,
        signature: &[u8],
        admission: impl Admission,
        now: Timestamp,
    ) -> Result<KeyStamp, VerifyError> {
        let message = SignedMessage {
            key_id: header.key_id.as_deref(),
            algorithm: header.algorithm,
            input: input.as_bytes(),
            signature,
        };
        self.keys.verify(message, admission, now)
    }
}

impl From<&Issuer> for TrustedIssuer {
    /// Trusts the tokens of this issuer: clocks may differ by [`Issuer::with_leeway`], and `sid` is required.
    fn from(issuer: &Issuer) -> Self {
        let rules = ValidationRules {
            requires_session_id: true,
            ..ValidationRules::rfc9068(issuer.shared_audience(), issuer.leeway())
        };
        Self::with_rules(issuer.shared_name(), issuer.key_source(), rules)
    }
}

/// Checks the name of an issuer.
pub(super) fn check_issuer(issuer: String) -> Result<Arc<str>, ConfigError> {
    check_name(issuer, "issuer", "give the iss claim, as in https://login.example")
}

/// Checks an audience.
pub(super) fn check_audience(audience: String) -> Result<Arc<str>, ConfigError> {
    check_name(audience, "audience", "give the aud claim, as in https://api.example")
}
