use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Request, Uri};
use http_body_util::Full;
use tokio::time::timeout;

use super::client::Client;
use super::error::{FetchError, shorten};
use super::freshness;

/// A JSON document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) body: Bytes,
    /// For how long it stays fresh, if the response says so.
    pub(super) freshness: Option<Duration>,
}

/// Requests JSON documents.
#[derive(Clone)]
pub(super) struct Requester {
    pub(super) client: Arc<dyn Client>,
    pub(super) timeout: Duration,
    pub(super) max_body_size: usize,
}

impl Requester {
    /// Requests the document at this URL. `now` is the wall clock, for `Expires` without `Date`.
    pub(super) async fn get(&self, url: &Uri, now: SystemTime) -> Result<Document, FetchError> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = url.clone();
        let headers = request.headers_mut();
        let header = http::HeaderValue::from_static;
        headers.insert(ACCEPT, header("application/json, application/jwk-set+json"));
        headers.insert(ACCEPT_ENCODING, header("identity"));
        let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, header(agent));

        let response = timeout(self.timeout, self.client.send(request, self.max_body_size)).await;
        let response = response.map_err(|_| FetchError::Timeout(self.timeout))??;
        let status = response.status();
        if status.is_redirection() {
            return Err(FetchError::Redirect(status));
        }
        if status != http::StatusCode::OK {
            return Err(FetchError::Status(status));
        }
        check_type(response.headers())?;
        let freshness = freshness::remaining(response.headers(), now);
        Ok(Document { body: response.into_body(), freshness })
    }
}

/// Accepts the types of JSON, and those that hosts of static files send for a file of unknown type. A login page has
/// another one.
fn check_type(headers: &HeaderMap) -> Result<(), FetchError> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let value = value.to_str().unwrap_or("a type that is not ASCII");
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_accepted = matches!(
        essence.as_str(),
        "application/json"
            | "text/json"
            | "text/plain"
            | "application/octet-stream"
            | "binary/octet-stream"
    ) || essence.ends_with("+json");
    if is_accepted { Ok(()) } else { Err(FetchError::ContentType(shorten(value))) }
}
