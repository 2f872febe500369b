//! Public documents over HTTP: the JWK set and metadata.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;

use super::entity_tag::EntityTag;
use super::headers::{method_not_allowed, set_body};
use crate::error::ConfigError;
use crate::http::origin;

const DEFAULT_MAX_AGE: &str = "public, max-age=300";
const MAX_MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// The content of a document and its entity tag, computed once.
#[derive(Clone, Debug)]
pub(super) struct Content {
    body: Bytes,
    etag: EntityTag,
}

impl Content {
    pub(super) fn new(body: String) -> Self {
        Self { etag: EntityTag::of(body.as_bytes()), body: body.into() }
    }
}

/// The settings of a document, which anyone may read. Its content is an argument, since it may change.
#[derive(Clone, Debug)]
pub(super) struct Document {
    content_type: HeaderValue,
    cache_control: HeaderValue,
    allow_origin: Option<HeaderValue>,
}

impl Document {
    pub(super) fn new(content_type: &'static str) -> Self {
        Self {
            content_type: HeaderValue::from_static(content_type),
            cache_control: HeaderValue::from_static(DEFAULT_MAX_AGE),
            allow_origin: None,
        }
    }

    pub(super) fn set_max_age(&mut self, max_age: Duration) -> Result<(), ConfigError> {
        let what = "time for which the document may be cached";
        let invalid = ConfigError::Duration {
            what,
            given: max_age,
            hint: "give whole seconds, at most one day",
        };
        if max_age > MAX_MAX_AGE || max_age.subsec_nanos() != 0 {
            return Err(invalid);
        }
        let value = format!("public, max-age={}", max_age.as_secs());
        self.cache_control = HeaderValue::try_from(value).map_err(|_| invalid)?;
        Ok(())
    }

    pub(super) fn set_allow_origin(&mut self, origin: &str) -> Result<(), ConfigError> {
        let value = match origin {
            "*" => "*".into(),
            origin => origin::normalize(origin)?,
        };
        let invalid = |_| ConfigError::Origin { origin: origin.to_owned() };
        self.allow_origin = Some(HeaderValue::from_str(&value).map_err(invalid)?);
        Ok(())
    }

    /// Returns the response to a request for this content: 304 if the client has it (RFC 9110 §13.1.2).
    pub(super) fn respond<B>(
        &self,
        request: &Request<B>,
        content: &Content,
    ) -> Response<Full<Bytes>> {
        let method = request.method();
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = method_not_allowed(method, "GET, HEAD");
            self.add_cors(response.headers_mut());
            return response;
        }
        let mut response = Response::new(Full::default());
        let headers = response.headers_mut();
        // A 304 has these headers like the 200 in its place (RFC 9110 §15.4.5).
        headers.insert(ETAG, content.etag.to_header());
        headers.insert(CACHE_CONTROL, self.cache_control.clone());
        self.add_cors(headers);
        if content.etag.is_in_none_match(request.headers()) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        set_body(&mut response, method, content.body.clone());
        response
    }

    fn add_cors(&self, headers: &mut HeaderMap) {
        if let Some(origin) = &self.allow_origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            if origin != "*" {
                headers.insert(VARY, HeaderValue::from_static("Origin"));
            }
        }
    }
}
