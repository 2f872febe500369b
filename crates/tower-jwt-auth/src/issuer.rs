use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{Clock, SessionId, SystemClock, Timestamp, TokenId};

use crate::claims::{self, ACCESS_TOKEN_TYPE, ApplicationClaims, ClaimsError, name};
use crate::error::{ConfigError, TokenError};
use crate::jws::MAX_TOKEN_LENGTH;
use crate::keys::crypto::CryptoError;
use crate::keys::{KeySet, SigningKey, append_base64url};

/// The longest life of an access token that can be set.
pub(crate) const MAX_ACCESS_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Issues access tokens (RFC 9068): `typ: at+jwt`, good for five minutes unless set otherwise.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::{Issuer, SigningKey};
///
/// let issuer =
///     Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?
///         .with_access_lifetime(Duration::from_secs(600))?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Issuer {
    name: Arc<str>,
    audience: Arc<str>,
    signing_key: SigningKey,
    keys: KeySet,
    client_id: Arc<str>,
    access_lifetime: Duration,
    leeway: Duration,
    clock: Arc<dyn Clock>,
}

impl Issuer {
    /// An issuer of this name (`iss`), for this audience (`aud`), which signs with this key.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Name`] when a name is empty.
    pub fn new(
        iss: impl Into<String>,
        aud: impl Into<String>,
        signing_key: SigningKey,
    ) -> Result<Self, ConfigError> {
        let issuer = name(iss.into(), "issuer", "give the address of the service")?;
        let audience = name(aud.into(), "audience", "give the address of the API")?;
        Ok(Self {
            client_id: Arc::clone(&audience),
            name: issuer,
            audience,
            keys: signing_key.verifying_key().clone().into(),
            signing_key,
            access_lifetime: Duration::from_secs(300),
            leeway: Duration::from_secs(5),
            clock: Arc::new(SystemClock::new()),
        })
    }

    /// How long an access token lives, in whole seconds. A logout does not wait for it; a change of scope does.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Duration`] below a second, above a day, or with a fraction.
    pub fn with_access_lifetime(mut self, lifetime: Duration) -> Result<Self, ConfigError> {
        let allowed = Duration::from_secs(1)..=MAX_ACCESS_LIFETIME;
        if !allowed.contains(&lifetime) || lifetime.subsec_nanos() != 0 {
            let hint = "give whole seconds, from one second to one day";
            let what = "life of access tokens";
            return Err(ConfigError::Duration { what, given: lifetime, hint });
        }
        self.access_lifetime = lifetime;
        Ok(self)
    }

    /// How far the clocks of the service's nodes may be apart; 5 seconds, unless set. Layers of
    /// [`for_sessions`](crate::JwtAuthLayer::for_sessions) and verifiers of this issuer accept its tokens so
    /// long before `iat` and after `exp` (RFC 7519 §4.1.4).
    ///
    /// # Errors
    ///
    /// [`ConfigError::Duration`] above five minutes.
    pub fn with_leeway(mut self, leeway: Duration) -> Result<Self, ConfigError> {
        self.leeway = claims::leeway(leeway)?;
        Ok(self)
    }

    /// The `client_id` of sessions that name none of their own (RFC 9068 §2.2); the audience, unless set.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Name`] when it is empty.
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Result<Self, ConfigError> {
        self.client_id = name(client_id.into(), "client id", "give a name for the client")?;
        Ok(self)
    }

    /// Another clock, for tests.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(crate) fn shared_audience(&self) -> Arc<str> {
        Arc::clone(&self.audience)
    }

    pub(crate) fn keys(&self) -> &KeySet {
        &self.keys
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(crate) fn access_lifetime(&self) -> Duration {
        self.access_lifetime
    }

    pub(crate) fn leeway(&self) -> Duration {
        self.leeway
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// When an access token that is made now expires.
    pub(crate) fn access_expiry(&self, now: Timestamp) -> Timestamp {
        now.floor_to_second() + self.access_lifetime
    }

    /// Makes an access token, unless it is one that verifiers with claims `C` would not accept.
    pub(crate) fn mint<C: DeserializeOwned>(
        &self,
        grant: &AccessGrant<'_>,
    ) -> Result<AccessToken, IssueError> {
        let id = TokenId::random().map_err(|_| IssueError::Entropy)?;
        let registered = AccessClaims {
            iss: &self.name,
            sub: grant.subject,
            aud: &self.audience,
            exp: grant.expires_at.unix_seconds(),
            iat: grant.issued_at.unix_seconds(),
            jti: id.to_string(),
            client_id: grant.client_id,
            sid: grant.session_id.to_string(),
            // The node of the login may have had a clock that is ahead of this one.
            auth_time: grant.auth_time.min(grant.issued_at).unix_seconds(),
            scope: Some(grant.scope).filter(|scope| !scope.is_empty()),
        };
        let claims = grant.claims.with_registered(&registered)?;
        claims::parse::<C>(&claims).map_err(IssueError::Unreadable)?;
        let text = sign(&self.signing_key, ACCESS_TOKEN_TYPE, claims.as_bytes())?;
        if text.len() > MAX_TOKEN_LENGTH {
            return Err(IssueError::TooLong { length: text.len(), most: MAX_TOKEN_LENGTH });
        }
        // From now: a hook may have taken its time.
        let expires_in = grant.expires_at.since(self.clock.now().floor_to_second());
        Ok(AccessToken { text, id, expires_at: grant.expires_at, expires_in })
    }
}

/// What an access token is made from.
pub(crate) struct AccessGrant<'g> {
    pub(crate) subject: &'g str,
    pub(crate) session_id: SessionId,
    pub(crate) client_id: &'g str,
    pub(crate) auth_time: Timestamp,
    pub(crate) scope: &'g str,
    pub(crate) claims: &'g ApplicationClaims,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

#[derive(Serialize)]
struct AccessClaims<'g> {
    iss: &'g str,
    sub: &'g str,
    aud: &'g str,
    exp: i64,
    iat: i64,
    jti: String,
    client_id: &'g str,
    sid: String,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'g str>,
}

#[derive(Serialize)]
struct HeaderOut<'h> {
    typ: &'h str,
    alg: &'h str,
    kid: &'h str,
}

/// Returns header, claims and signature in the compact serialization (RFC 7515 §7.1).
pub(crate) fn sign(key: &SigningKey, typ: &str, claims: &[u8]) -> Result<String, IssueError> {
    let header = HeaderOut { typ, alg: key.algorithm().as_str(), kid: key.key_id() };
    let header = serde_json::to_vec(&header).map_err(ClaimsError::Serialize)?;
    // The capacity is enough for the whole token: a string that grows leaves copies of a refresh token behind.
    let length = base64_length(header.len()) + base64_length(claims.len());
    let mut token = String::with_capacity(length + base64_length(key.signature_length()) + 2);
    append_base64url(&header, &mut token);
    token.push('.');
    append_base64url(claims, &mut token);
    let signature = key.sign(token.as_bytes()).map_err(|CryptoError| IssueError::Signature)?;
    token.push('.');
    append_base64url(&signature, &mut token);
    Ok(token)
}

/// Returns an upper bound of the length of so many bytes in base64url, in bytes.
fn base64_length(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Why a token could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The application's claims cannot be put into a token.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// Verifiers would not read the claims back: the application's type does not take what it gave, as an enum
    /// with its variant's name outside, or there are more than 128.
    #[error("the claims cannot be read back from a token: use a struct or map of at most 128")]
    Unreadable(#[source] TokenError),
    /// The token would be longer than verifiers and browsers take.
    #[error("the token would have {length} bytes, {most} are the most: keep less in its claims")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The most that is taken.
        most: usize,
    },
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers")]
    Entropy,
    /// The key did not sign.
    #[error("the key did not sign")]
    Signature,
}

/// An access token: a secret. `Debug` does not show it.
#[derive(Clone)]
pub struct AccessToken {
    text: String,
    id: TokenId,
    expires_at: Timestamp,
    expires_in: Duration,
}

impl AccessToken {
    /// The token itself, for the client and nobody else.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its name: the `jti` claim.
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// When it expires: the `exp` claim.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// How long it lives, in whole seconds.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
