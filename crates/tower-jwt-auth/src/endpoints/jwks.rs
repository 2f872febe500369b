//! The endpoint that publishes the issuer's public keys.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower_service::Service;

use super::document::{Content, Document};
use crate::error::ConfigError;
use crate::issuer::Issuer;
use crate::keys::KeyRing;

/// The endpoint that publishes the issuer's public keys as a JWK set (RFC 7517 §5). The set of an issuer that signs
/// with a shared secret is empty.
///
/// It responds to `GET` and `HEAD`. The response may be cached for 5 minutes, unless [set](Self::with_max_age). It has
/// a strong `ETag`; if `If-None-Match` contains it, the response is 304 without a body (RFC 9110 §13.1.2).
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{Issuer, SigningKey};
///
/// let issuer =
///     Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let app: axum::Router =
///     axum::Router::new().route_service("/.well-known/jwks.json", issuer.jwks());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct JwksService {
    document: Document,
    issuer: Issuer,
    cache: Arc<ArcSwapOption<PublishedSet>>,
}

/// The JWK set of a ring, while the same keys of it are accepted.
#[derive(Debug)]
struct PublishedSet {
    ring: Arc<KeyRing>,
    keys: usize,
    content: Arc<Content>,
}

impl Issuer {
    /// Creates the endpoint that publishes the public keys of this issuer.
    pub fn jwks(&self) -> JwksService {
        JwksService {
            document: Document::new("application/jwk-set+json"),
            issuer: self.clone(),
            cache: Arc::default(),
        }
    }
}

impl JwksService {
    /// Sets for how long clients and caches may use the response without a request (`Cache-Control: max-age`), in whole
    /// seconds; 5 minutes, unless set. A new key must be published for at least this time before it signs.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Duration`] above one day, or with a fraction of a second.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::{Issuer, SigningKey};
    ///
    /// # let key = SigningKey::generate()?;
    /// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", key)?;
    /// let jwks = issuer.jwks().with_max_age(Duration::from_secs(60))?.with_allow_origin("*")?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_max_age(mut self, max_age: Duration) -> Result<Self, ConfigError> {
        self.document.set_max_age(max_age)?;
        Ok(self)
    }

    /// Lets scripts of pages on another origin read the response, or of all pages with `*` (Fetch standard §3.3.3);
    /// none, unless set. The set is public.
    ///
    /// The endpoint responds to no preflights. If scripts send headers of their own, put a CORS layer around it
    /// instead.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Origin`] if it is neither `*` nor an origin that browsers send.
    pub fn with_allow_origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        self.document.set_allow_origin(origin)?;
        Ok(self)
    }

    /// Returns the JWK set of the keys that are accepted now. It is serialized once for the same keys.
    fn content(&self) -> Arc<Content> {
        let (ring, lifetime) = (self.issuer.key_ring().load(), self.issuer.retired_key_lifetime());
        let now = self.issuer.clock().now();
        // Keys leave a ring with time, and none returns: the same number is the same keys.
        let keys = ring.accepted(lifetime, now).count();
        if let Some(cached) = &*self.cache.load()
            && Arc::ptr_eq(&cached.ring, &ring)
            && cached.keys == keys
        {
            return Arc::clone(&cached.content);
        }
        let content = Arc::new(Content::new(ring.to_jwks(lifetime, now)));
        let set = PublishedSet { ring, keys, content: Arc::clone(&content) };
        self.cache.store(Some(Arc::new(set)));
        content
    }
}

impl<B> Service<Request<B>> for JwksService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.document.respond(&request, &self.content())))
    }
}
