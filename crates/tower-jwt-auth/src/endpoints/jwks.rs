//! The endpoint that publishes the issuer's public keys.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower_service::Service;

use crate::issuer::Issuer;
use crate::keys::KeyRing;

/// The endpoint that publishes the issuer's public keys as a JWK set (RFC 7517 §5). The set of an issuer that signs
/// with a shared secret is empty.
///
/// It responds to `GET` and `HEAD`. The response may be cached for 5 minutes.
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
    issuer: Issuer,
    cache: Arc<ArcSwapOption<PublishedSet>>,
}

/// The JWK set of a ring, while the same keys of it are accepted.
#[derive(Debug)]
struct PublishedSet {
    ring: Arc<KeyRing>,
    keys: usize,
    json: Bytes,
}

impl Issuer {
    /// Creates the endpoint that publishes the public keys of this issuer.
    pub fn jwks(&self) -> JwksService {
        JwksService { issuer: self.clone(), cache: Arc::default() }
    }
}

impl JwksService {
    /// Returns the JWK set of the keys that are accepted now. It is serialized once for the same keys.
    fn json(&self) -> Bytes {
        let (ring, lifetime) = (self.issuer.key_ring().load(), self.issuer.retired_key_lifetime());
        let now = self.issuer.clock().now();
        // Keys leave a ring with time, and none returns: the same number is the same keys.
        let keys = ring.accepted(lifetime, now).count();
        if let Some(cached) = &*self.cache.load()
            && Arc::ptr_eq(&cached.ring, &ring)
            && cached.keys == keys
        {
            return cached.json.clone();
        }
        let json = Bytes::from(ring.to_jwks(lifetime, now));
        let set = PublishedSet { ring, keys, json: json.clone() };
        self.cache.store(Some(Arc::new(set)));
        json
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
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let body = if request.method() == Method::GET { self.json() } else { Bytes::new() };
        let mut response = Response::new(Full::new(body));
        let headers = response.headers_mut();
        if is_read {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        } else {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        }
        ready(Ok(response))
    }
}
