use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{Clock, SessionId, SystemClock, Timestamp, TokenId};

use crate::base64url::{self, Text128};
use crate::claims::{
    self, ACCESS_TOKEN_TYPE, ApplicationClaims, ClaimsError, ReadError, check_name,
};
use crate::error::{ConfigError, TokenError};
use crate::jws::MAX_TOKEN_LENGTH;
use crate::keys::crypto::CryptoError;
use crate::keys::{KeyHandle, KeyRing, KeySource, SignError, SigningKey};

/// The maximum lifetime of an access token.
pub(crate) const MAX_ACCESS_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Issues access tokens (RFC 9068) with `typ: at+jwt` and a lifetime of five minutes, unless set.
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
    ring: KeyHandle<KeyRing>,
    client_id: Arc<str>,
    access_lifetime: Duration,
    leeway: Duration,
    clock: Arc<dyn Clock>,
}

impl Issuer {
    /// Creates an issuer named `iss` that signs tokens for the audience `aud` (RFC 7519 §4.1.1, §4.1.3), with a [`SigningKey`] or a
    /// [`KeyRing`].
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Name`] if a name is empty or contains control characters.
    pub fn new(
        iss: impl Into<String>,
        aud: impl Into<String>,
        keys: impl Into<KeyRing>,
    ) -> Result<Self, ConfigError> {
        let issuer = check_name(iss.into(), "issuer", "give the URL of the service")?;
        let audience = check_name(aud.into(), "audience", "give the URL of the API")?;
        Ok(Self {
            client_id: Arc::clone(&audience),
            name: issuer,
            audience,
            ring: KeyHandle::new(keys.into()),
            access_lifetime: Duration::from_secs(300),
            leeway: Duration::from_secs(5),
            clock: Arc::new(SystemClock::new()),
        })
    }

    /// Sets the lifetime of an access token, in whole seconds; 300 seconds, unless set. A logout takes effect before
    /// the token expires. A change of scope takes effect with the next token.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Duration`] below one second, above one day, or with a fraction of a second.
    pub fn with_access_lifetime(mut self, lifetime: Duration) -> Result<Self, ConfigError> {
        let allowed = Duration::from_secs(1)..=MAX_ACCESS_LIFETIME;
        if !allowed.contains(&lifetime) || lifetime.subsec_nanos() != 0 {
            let hint = "give whole seconds, from one second to one day";
            let what = "lifetime of access tokens";
            return Err(ConfigError::Duration { what, given: lifetime, hint });
        }
        self.access_lifetime = lifetime;
        Ok(self)
    }

    /// Sets by how much the clocks of the service's nodes may differ; 5 seconds, unless set. Layers created by
    /// [`for_sessions`](crate::JwtAuthLayer::for_sessions) and verifiers of this issuer accept its tokens that much
    /// before `iat` and after `exp` (RFC 7519 §4.1.4).
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Duration`] above five minutes.
    pub fn with_leeway(mut self, leeway: Duration) -> Result<Self, ConfigError> {
        self.leeway = claims::check_leeway(leeway)?;
        Ok(self)
    }

    /// Sets the `client_id` of sessions that do not set their own (RFC 9068 §2.2); the audience, unless set.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Name`] if it is empty or contains control characters.
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Result<Self, ConfigError> {
        self.client_id = check_name(client_id.into(), "client id", "give a name for the client")?;
        Ok(self)
    }

    /// Sets the clock, for tests; the system clock, unless set.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Returns the `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(crate) fn shared_audience(&self) -> Arc<str> {
        Arc::clone(&self.audience)
    }

    /// Returns the keys, to replace them while the service runs. Clones of this issuer, verifiers and layers that were
    /// made from it, and its [`JwksService`](crate::JwksService) share them.
    pub fn key_ring(&self) -> &KeyHandle<KeyRing> {
        &self.ring
    }

    /// Returns the keys for a verifier.
    pub(crate) fn key_source(&self) -> KeySource {
        KeySource::ring(self.ring.clone(), self.retired_key_lifetime())
    }

    /// Returns how long a key is accepted after it has signed its last token.
    pub(crate) fn retired_key_lifetime(&self) -> Duration {
        self.access_lifetime + self.leeway * 2
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

    /// Returns the time at which an access token that is issued now expires.
    pub(crate) fn access_expiry(&self, now: Timestamp) -> Timestamp {
        now.floor_to_second() + self.access_lifetime
    }

    /// Issues an access token.
    ///
    /// # Errors
    ///
    /// Returns [`IssueError`] if verifiers with claims `C` would reject the token, or it cannot be signed.
    pub(crate) async fn mint<C: DeserializeOwned>(
        &self,
        grant: &AccessGrant<'_>,
    ) -> Result<AccessToken, IssueError> {
        let claims = grant.claims.with_registered(&self.registered_claims(grant))?;
        if !grant.claims.is_simple() {
            claims::parse(&claims).map_err(IssueError::Unreadable)?;
        }
        claims::read::<C>(&claims)
            .map_err(|error| IssueError::Unreadable(TokenError::Claims { field: error.field }))?;
        self.sign_claims(grant, &claims).await
    }

    /// Issues the access token of a grant after [`stored_claims`](Self::stored_claims) of a grant with the same content.
    ///
    /// # Errors
    ///
    /// Returns [`IssueError`] if the token cannot be signed.
    pub(crate) async fn mint_stored(
        &self,
        grant: &AccessGrant<'_>,
        claims: &ReadClaims,
    ) -> Result<AccessToken, IssueError> {
        self.sign_claims(grant, &claims.0).await
    }

    async fn sign_claims(
        &self,
        grant: &AccessGrant<'_>,
        claims: &str,
    ) -> Result<AccessToken, IssueError> {
        let ring = self.ring.load();
        let key = ring.signing_key();
        let mut text = signing_input(key, ACCESS_TOKEN_TYPE, claims.as_bytes());
        let signature = key.sign_or_wait(text.as_bytes()).await?;
        append_signature(&mut text, &signature);
        if text.len() > MAX_TOKEN_LENGTH {
            return Err(IssueError::TooLong { length: text.len(), max: MAX_TOKEN_LENGTH });
        }
        // Counted from now: the refresh hook may have taken a while.
        let expires_in = grant.expires_at.since(self.clock.now().floor_to_second());
        Ok(AccessToken { text, id: grant.id, expires_at: grant.expires_at, expires_in })
    }

    /// Reads the application's claims of a grant, with the registered claims that the token will have.
    pub(crate) fn stored_claims<C: DeserializeOwned>(
        &self,
        grant: &AccessGrant<'_>,
    ) -> Result<(C, ReadClaims), ClaimsError> {
        let json = grant.claims.with_registered(&self.registered_claims(grant))?;
        let claims = claims::read_stored(&json)
            .map_err(|error: ReadError| ClaimsError::Deserialize(error.source))?;
        Ok((claims, ReadClaims(json)))
    }

    fn registered_claims<'g>(&'g self, grant: &'g AccessGrant<'_>) -> SerializedClaims<'g> {
        SerializedClaims {
            iss: &self.name,
            sub: grant.subject,
            aud: &self.audience,
            exp: grant.expires_at.unix_seconds(),
            iat: grant.issued_at.unix_seconds(),
            jti: Text128::new(grant.id.as_bytes()),
            client_id: grant.client_id,
            sid: Text128::new(grant.session_id.as_bytes()),
            // The clock of the node that served the login may be ahead of this one.
            auth_time: grant.auth_time.min(grant.issued_at).unix_seconds(),
            scope: Some(grant.scope).filter(|scope| !scope.is_empty()),
        }
    }
}

/// A claims set that has been read into the application's type.
pub(crate) struct ReadClaims(String);

/// The content of an access token.
pub(crate) struct AccessGrant<'g> {
    pub(crate) id: TokenId,
    pub(crate) subject: &'g str,
    pub(crate) session_id: SessionId,
    pub(crate) client_id: &'g str,
    pub(crate) auth_time: Timestamp,
    pub(crate) scope: &'g str,
    pub(crate) claims: &'g ApplicationClaims<'g>,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

#[derive(Serialize)]
struct SerializedClaims<'g> {
    iss: &'g str,
    sub: &'g str,
    aud: &'g str,
    exp: i64,
    iat: i64,
    jti: Text128,
    client_id: &'g str,
    sid: Text128,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'g str>,
}

/// Returns header, claims and signature in the compact serialization (RFC 7515 §7.1), signed with a key of this process.
pub(crate) fn sign(
    key: &SigningKey,
    typ: &'static str,
    claims: &[u8],
) -> Result<String, CryptoError> {
    let mut token = signing_input(key, typ, claims);
    let signature = key.sign(token.as_bytes())?;
    append_signature(&mut token, &signature);
    Ok(token)
}

/// Returns header and claims as they are signed (RFC 7515 §5.1), in a string with room for the signature.
fn signing_input(key: &SigningKey, typ: &'static str, claims: &[u8]) -> String {
    let header = key.header(typ);
    // The capacity is enough for the whole token: a string that grows leaves copies of a refresh token behind.
    let length = header.len() + base64_length(claims.len());
    let mut token = String::with_capacity(length + base64_length(key.signature_length()) + 2);
    token.push_str(&header);
    token.push('.');
    base64url::append(claims, &mut token);
    token
}

fn append_signature(token: &mut String, signature: &[u8]) {
    token.push('.');
    base64url::append(signature, token);
}

/// Returns an upper bound of the length in base64url of a number of bytes.
fn base64_length(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// The reason why a token could not be issued.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::tokens::{ClaimsError, IssueError};
///
/// let error = IssueError::from(ClaimsError::Registered("sub"));
/// assert_eq!(error.to_string(), "the claim sub is written by the library: give your claim another name");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The claims of the application are not valid in a token.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// Verifiers would reject the claims: the application's type does not deserialize from its own output, as an
    /// externally tagged enum does not, or has more than 128 members.
    #[error(
        "the claims cannot be read back from a token ({0}): use a struct or map of at most 128 members"
    )]
    Unreadable(#[source] TokenError),
    /// The token would be longer than verifiers and browsers accept.
    #[error("the token would have {length} bytes, the maximum is {max}: keep less in its claims")]
    TooLong {
        /// The length of the token in bytes.
        length: usize,
        /// The maximum length in bytes.
        max: usize,
    },
    /// The operating system returned no random bytes.
    #[error("the operating system returned no random bytes")]
    Entropy,
    /// The cryptographic library could not sign with the key.
    #[error("the cryptographic library could not sign with the key")]
    Signature,
    /// The external [`Signer`](crate::keys::Signer) is unavailable, or took longer than
    /// [`SIGNER_TIMEOUT`](crate::keys::SIGNER_TIMEOUT). A retry may succeed.
    #[error("the external signer is unavailable: {0}")]
    SignerUnavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The external [`Signer`](crate::keys::Signer) returned a signature that its public key does not verify.
    #[error(
        "the public key does not verify the signature of the external signer: give the key pair's own public key, and \
         return signatures in the form of a JWS"
    )]
    SignerMismatch,
}

impl From<SignError> for IssueError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Unavailable(source) => Self::SignerUnavailable(source),
            SignError::Mismatch => Self::SignerMismatch,
            SignError::Crypto => Self::Signature,
        }
    }
}

/// An access token, which is a secret: `Debug` does not show it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
/// let tokens = sessions.start(SignIn::new("alice")).await?;
/// let access = tokens.access();
/// let header = format!("Bearer {}", access.as_str());
/// assert!(access.expires_in() <= Duration::from_secs(300));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AccessToken {
    text: String,
    id: TokenId,
    expires_at: Timestamp,
    expires_in: Duration,
}

impl AccessToken {
    /// Returns the token itself, for the client alone.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns its id: the `jti` claim (RFC 7519 §4.1.7).
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// Returns the time at which it expires: the `exp` claim (RFC 7519 §4.1.4).
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Returns the time until it expires, from when it was issued, in whole seconds.
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
