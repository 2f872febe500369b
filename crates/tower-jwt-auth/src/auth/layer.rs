use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{Clock, SystemClock};
use tower_layer::Layer;

use super::decision::{AuthConfig, Mode, OnUnknown, PreflightMode};
use super::service::JwtAuth;
use super::token_cache::TokenCache;
use super::verification_limit::VerificationLimit;
use crate::error::ConfigError;
use crate::http::challenge::Challenge;
use crate::http::origin::OriginPolicy;
use crate::http::token_source::TokenSource;
use crate::revocation::{DEFAULT_MAX_STALENESS, RevocationList};
use crate::sessions::Sessions;
use crate::verifier::Verifier;

/// Checks the access token of every request and puts an [`Identity`](crate::Identity) into its extensions.
///
/// A token that has been accepted repeatedly is kept in memory, and its signature is not verified again while it is there
/// ([`with_token_cache`](Self::with_token_cache)). Expiry and revocation are checked at each request, and requirement
/// layers check theirs.
///
/// Requests without a valid token do not reach the inner service, except anonymous requests if the layer is
/// [`optional`](Self::optional), and CORS preflights if it [lets them pass](Self::allow_preflights).
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Full;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_jwt_auth::{
///     Identity, Issuer, JwtAuthLayer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey,
/// };
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
/// let service = ServiceBuilder::new().layer(JwtAuthLayer::for_sessions(&sessions)).service_fn(
///     async |request: Request<Full<Bytes>>| {
///         let identity = request.extensions().get::<Identity>().expect("the layer puts it in");
///         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(identity.subject().to_owned())))
///     },
/// );
///
/// let tokens = sessions.start(SignIn::new("alice")).await?;
/// let request = Request::get("/")
///     .header("authorization", format!("Bearer {}", tokens.access().as_str()))
///     .body(Full::default())?;
/// assert_eq!(service.clone().oneshot(request).await?.status(), StatusCode::OK);
/// let request = Request::get("/").body(Full::default())?;
/// assert_eq!(service.oneshot(request).await?.status(), StatusCode::UNAUTHORIZED);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct JwtAuthLayer<C = ()> {
    config: AuthConfig<C>,
}

impl<C: DeserializeOwned + Send + Sync + 'static> JwtAuthLayer<C> {
    /// Creates a layer that checks tokens with this verifier and this revocation list.
    ///
    /// A service that accepts the tokens of other issuers, and does not see their revocations, opts out explicitly with
    /// [`RevocationList::none`].
    pub fn new(verifier: Verifier<C>, revocations: RevocationList) -> Self {
        Self {
            config: AuthConfig {
                verifier,
                tokens: Some(Arc::new(TokenCache::with_default_bounds())),
                verifications: Arc::new(VerificationLimit::of_this_machine()),
                revocations,
                source: TokenSource::authorization_header(),
                origins: OriginPolicy::same_origin(),
                challenge: Challenge::default(),
                clock: Arc::new(SystemClock::new()),
                max_staleness: DEFAULT_MAX_STALENESS,
                on_unknown: OnUnknown::QueryStore,
                preflights: PreflightMode::Authenticate,
                mode: Mode::Required,
            },
        }
    }

    /// Creates a layer that checks the access tokens of these sessions, with their clock and revocation list.
    pub fn for_sessions(sessions: &Sessions<C>) -> Self
    where
        C: Serialize,
    {
        let verifier = Verifier::new(sessions.issuer()).with_claims();
        Self::new(verifier, sessions.revocations().clone())
            .with_clock(Arc::clone(sessions.issuer().clock()))
    }

    /// Sets where requests carry the token; in the `Authorization` header alone, unless set.
    pub fn with_source(mut self, source: TokenSource) -> Self {
        self.config.source = source;
        self
    }

    /// Sets which origins may cause requests with an unsafe method that carry the token in a cookie; the same origin
    /// alone, unless set.
    pub fn with_origins(mut self, origins: OriginPolicy) -> Self {
        self.config.origins = origins;
        self
    }

    /// Sets the realm in challenges (RFC 9110 §11.5); `api`, unless set.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Name`] if it is empty or contains anything other than visible ASCII and spaces.
    pub fn with_realm(mut self, realm: &str) -> Result<Self, ConfigError> {
        self.config.challenge.set_realm(realm)?;
        Ok(self)
    }

    /// Sets the URL of the resource's [metadata](crate::endpoints::ProtectedResourceMetadata), which challenges then
    /// name (RFC 9728 §5.1), also those of the layers and extractors inside of this one. A client learns from it which
    /// authorization server to use. Challenges name none, unless set.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Url`] if it is neither https nor http of a loopback host, or has a fragment.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_jwt_auth::JwtAuthLayer;
    /// # use tower_jwt_auth::{ConfigError, Issuer, RevocationList, SigningKey, Verifier};
    ///
    /// # fn with_metadata() -> Result<JwtAuthLayer, ConfigError> {
    /// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// # let auth = JwtAuthLayer::new(Verifier::new(&issuer), RevocationList::none());
    /// auth.with_resource_metadata("https://api.shop.example/.well-known/oauth-protected-resource")
    /// # }
    /// # assert!(with_metadata().is_ok());
    /// ```
    pub fn with_resource_metadata(mut self, url: &str) -> Result<Self, ConfigError> {
        self.config.challenge.set_resource_metadata(url)?;
        Ok(self)
    }

    /// Sets the maximum age of the revocation list; 30 seconds, unless set. A token that an older list does not contain
    /// is checked with the store, and rejected with 503 if the store is unavailable.
    pub fn with_max_staleness(mut self, max_staleness: Duration) -> Self {
        self.config.max_staleness = max_staleness;
        self
    }

    /// Accepts the decision of the revocation list even if the list is older than the maximum age or incomplete.
    ///
    /// Dangerous: while the store is unavailable, tokens that were revoked on other nodes are accepted until they
    /// expire.
    pub fn dangerous_accept_stale_revocations(mut self) -> Self {
        self.config.on_unknown = OnUnknown::Accept;
        self
    }

    /// Accepts CORS preflights without a check, for services that answer them inside of this layer. Usually a CORS
    /// layer outside of this one answers them.
    pub fn allow_preflights(mut self) -> Self {
        self.config.preflights = PreflightMode::Pass;
        self
    }

    /// Sets the bounds of the cache of accepted tokens: at most `max_tokens`, in about `max_bytes` bytes; 50,000 tokens
    /// and 96 MiB, unless set. An access token of this library takes about 2 KB. Clones of a layer share one cache;
    /// another layer has its own.
    ///
    /// A token is kept when it comes for the second time. Its signature is verified again after a change of its issuer's
    /// keys or of the trusted issuers. Each request is checked for expiry (RFC 7519 §4.1.4) and revocation. The
    /// application's claims are deserialized at a verification, and requests share them.
    ///
    /// The size counts the token, its identity, the tables, and the first two segments again for the application's
    /// claims. Claims that are lists of lists, read as `serde_json::Value`, take many times that.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Number`] unless `max_tokens` is 100 to 100,000,000 and `max_bytes` at least 256 KiB.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{ConfigError, Issuer, JwtAuthLayer, RevocationList, SigningKey, Verifier};
    /// # fn layer() -> Result<JwtAuthLayer, ConfigError> {
    /// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// # let verifier = Verifier::new(&issuer);
    /// // A million users with a token each.
    /// JwtAuthLayer::new(verifier, RevocationList::none()).with_token_cache(1_000_000, 2 << 30)
    /// # }
    /// # assert!(layer().is_ok());
    /// ```
    pub fn with_token_cache(
        mut self,
        max_tokens: usize,
        max_bytes: usize,
    ) -> Result<Self, ConfigError> {
        self.config.tokens = Some(Arc::new(TokenCache::new(max_tokens, max_bytes)?));
        Ok(self)
    }

    /// Verifies the signature of every token, also of one that has been accepted before.
    pub fn without_token_cache(mut self) -> Self {
        self.config.tokens = None;
        self
    }

    /// Sets the maximum number of tokens whose signatures are verified at a time; one less than the parallelism of the
    /// machine and at least one, unless set. Set a lower one if the runtime has fewer threads. Clones of a layer share the
    /// limit; another layer has its own.
    ///
    /// Further tokens wait, at most 256. They hold no permit of a limit inside of this layer. The others are rejected with 503 and `Retry-After`
    /// ([`AuthError::Unavailable`](crate::AuthError::Unavailable)). Tokens in the cache, and tokens that are rejected
    /// without a check of the signature, do not wait. HMAC has no limit, because its check takes less than a microsecond.
    /// On a runtime of one thread the limit has no effect.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Number`] for zero.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{ConfigError, Issuer, JwtAuthLayer, RevocationList, SigningKey, Verifier};
    /// # fn layer() -> Result<JwtAuthLayer, ConfigError> {
    /// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// # let verifier = Verifier::new(&issuer);
    /// // A runtime of four threads.
    /// JwtAuthLayer::new(verifier, RevocationList::none()).with_max_concurrent_verifications(3)
    /// # }
    /// # assert!(layer().is_ok());
    /// ```
    pub fn with_max_concurrent_verifications(mut self, max: usize) -> Result<Self, ConfigError> {
        self.config.verifications = Arc::new(VerificationLimit::new(max)?);
        Ok(self)
    }

    /// Sets the clock, for tests; the system clock, unless set.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.config.clock = Arc::new(clock);
        self
    }

    /// Accepts requests without credentials, and marks them as [`Anonymous`](super::Anonymous). Requests with an
    /// invalid token are still rejected.
    pub fn optional(mut self) -> Self {
        self.config.mode = Mode::Optional;
        self
    }
}

#[cfg(test)]
impl<C> JwtAuthLayer<C> {
    pub(super) fn verifications(&self) -> &VerificationLimit {
        &self.config.verifications
    }
}

impl<C> Clone for JwtAuthLayer<C> {
    fn clone(&self) -> Self {
        Self { config: self.config.clone() }
    }
}

impl<S, C> Layer<S> for JwtAuthLayer<C> {
    type Service = JwtAuth<S, C>;

    fn layer(&self, inner: S) -> JwtAuth<S, C> {
        JwtAuth::new(inner, self.config.clone())
    }
}

impl<C> fmt::Debug for JwtAuthLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthLayer").finish_non_exhaustive()
    }
}
