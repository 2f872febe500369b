use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower_service::Service;

use crate::endpoints::document::{Content, Document};
use crate::error::ConfigError;

/// The endpoint of a metadata document.
///
/// It responds to `GET` and `HEAD` with JSON. The response may be cached for 5 minutes, unless
/// [set](Self::with_max_age). It has a strong `ETag`; if `If-None-Match` contains it, the response is 304 without a
/// body (RFC 9110 §13.1.2).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::endpoints::ProtectedResourceMetadata;
///
/// let metadata = ProtectedResourceMetadata::new("https://api.shop.example/v1")?;
/// let service =
///     metadata.service().with_max_age(Duration::from_secs(3600))?.with_allow_origin("*")?;
/// let app: axum::Router =
///     axum::Router::new().route_service(&metadata.well_known_path(), service);
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct MetadataService {
    document: Document,
    content: Arc<Content>,
}

impl MetadataService {
    pub(super) fn new(json: String) -> Self {
        Self { document: Document::new("application/json"), content: Arc::new(Content::new(json)) }
    }

    /// Sets for how long clients and caches may use the response without a request (`Cache-Control: max-age`), in whole
    /// seconds; 5 minutes, unless set.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Duration`] above one day, or with a fraction of a second.
    pub fn with_max_age(mut self, max_age: Duration) -> Result<Self, ConfigError> {
        self.document.set_max_age(max_age)?;
        Ok(self)
    }

    /// Lets scripts of pages on another origin read the response, or of all pages with `*` (Fetch standard §3.3.3);
    /// none, unless set. The document is public.
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
}

impl<B> Service<Request<B>> for MetadataService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.document.respond(&request, &self.content)))
    }
}
