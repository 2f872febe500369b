//! The source of the keys: a JWK set URL, given or discovered.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Uri;
use serde::Deserialize;
use tokio::time::Instant;

use super::error::{FetchError, shorten};
use super::request::{Document, Requester};
use super::url;
use crate::error::ConfigError;
use crate::keys::set::KeySet;

/// The time after which a `jwks_uri` is discovered again. After a failure that happens at once.
const REDISCOVER_AFTER: Duration = Duration::from_secs(3600);

/// The configured place.
#[derive(Clone, Debug)]
pub(super) enum Location {
    Jwks(Uri),
    Discovery(Discovery),
}

/// An issuer and the URLs of its metadata.
#[derive(Clone, Debug)]
pub(super) struct Discovery {
    issuer: String,
    openid: Uri,
    oauth: Uri,
    /// Only an issuer on this machine may have keys on it without TLS.
    allows_plain: bool,
}

impl Location {
    pub(super) fn jwks(text: &str) -> Result<Self, &'static str> {
        url::parse(text).map(Self::Jwks)
    }

    pub(super) fn discovery(issuer: &str) -> Result<Self, &'static str> {
        let url = url::parse_issuer(issuer)?;
        Ok(Self::Discovery(Discovery {
            issuer: issuer.to_owned(),
            openid: url::openid_configuration(&url)?,
            oauth: url::oauth_metadata(&url)?,
            allows_plain: url::is_plain(&url),
        }))
    }

    /// Returns whether TLS is needed, or `None` if that depends on the metadata.
    pub(super) fn needs_tls(&self) -> Option<bool> {
        match self {
            Self::Jwks(url) => Some(!url::is_plain(url)),
            Self::Discovery(discovery) => (!discovery.allows_plain).then_some(true),
        }
    }

    /// The first URL that is requested.
    pub(super) fn url(&self) -> &Uri {
        match self {
            Self::Jwks(url) => url,
            Self::Discovery(discovery) => &discovery.openid,
        }
    }
}

/// A set that was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    /// Whether the document is another one than the last time.
    pub(super) is_changed: bool,
    pub(super) freshness: Option<Duration>,
}

/// Fetches the set, and remembers the `jwks_uri` and the last document.
pub(super) struct KeyFetcher {
    location: Location,
    requester: Requester,
    discovered: Option<(Uri, Instant)>,
    latest: Option<(Bytes, KeySet)>,
    /// The URL of the latest request, for the log.
    pub(super) url: Uri,
}

impl KeyFetcher {
    pub(super) fn new(location: Location, requester: Requester) -> Self {
        let url = location.url().clone();
        Self { location, requester, discovered: None, latest: None, url }
    }

    pub(super) async fn fetch(&mut self, now: SystemTime) -> Result<Fetched, FetchError> {
        let fetched = self.fetch_set(now).await;
        if let Err(error) = &fetched {
            self.discovered = None;
            if matches!(error, FetchError::NoKeys) {
                self.latest = None;
            }
        }
        fetched
    }

    async fn fetch_set(&mut self, now: SystemTime) -> Result<Fetched, FetchError> {
        let jwks_url = self.jwks_url(now).await?;
        let Document { body, freshness } = self.get(&jwks_url, now).await?;
        if let Some((latest, keys)) = &self.latest
            && *latest == body
        {
            return Ok(Fetched { keys: keys.clone(), is_changed: false, freshness });
        }
        let text = std::str::from_utf8(&body).map_err(|_| FetchError::Malformed("UTF-8"))?;
        let keys = KeySet::from_jwks(text).map_err(|error| match error {
            ConfigError::NoKey | ConfigError::NoUsableKey { .. } => FetchError::NoKeys,
            error => FetchError::Jwks(error),
        })?;
        self.latest = Some((body, keys.clone()));
        Ok(Fetched { keys, is_changed: true, freshness })
    }

    async fn jwks_url(&mut self, now: SystemTime) -> Result<Uri, FetchError> {
        let discovery = match &self.location {
            Location::Jwks(url) => return Ok(url.clone()),
            Location::Discovery(discovery) => discovery.clone(),
        };
        if let Some((url, at)) = &self.discovered
            && at.elapsed() < REDISCOVER_AFTER
        {
            return Ok(url.clone());
        }
        let url = match self.metadata(&discovery, &discovery.openid, now).await {
            Err(error) if is_elsewhere(&error) => {
                tracing::debug!(
                    url = url::for_log(&discovery.openid),
                    error = &error as &dyn std::error::Error,
                    "there is no OpenID Connect metadata; trying that of OAuth"
                );
                self.metadata(&discovery, &discovery.oauth, now).await
            }
            found => found,
        }?;
        self.discovered = Some((url.clone(), Instant::now()));
        Ok(url)
    }

    /// Returns the `jwks_uri` of the metadata at this URL.
    async fn metadata(
        &mut self,
        discovery: &Discovery,
        at: &Uri,
        now: SystemTime,
    ) -> Result<Uri, FetchError> {
        #[derive(Deserialize)]
        struct Metadata {
            issuer: String,
            jwks_uri: String,
        }
        let document = self.get(at, now).await?;
        let metadata: Metadata = serde_json::from_slice(&document.body)
            .map_err(|_| FetchError::Malformed("metadata with the members issuer and jwks_uri"))?;
        if metadata.issuer != discovery.issuer {
            let (expected, found) = (discovery.issuer.clone(), shorten(&metadata.issuer));
            return Err(FetchError::Issuer { expected, found });
        }
        let url = url::parse(&metadata.jwks_uri).map_err(FetchError::Url)?;
        if url::is_plain(&url) && !discovery.allows_plain {
            return Err(FetchError::Url("it is http, and the issuer is https"));
        }
        Ok(url)
    }

    async fn get(&mut self, url: &Uri, now: SystemTime) -> Result<Document, FetchError> {
        self.url.clone_from(url);
        self.requester.get(url, now).await
    }
}

/// Whether the provider answered, and the metadata is not there.
fn is_elsewhere(error: &FetchError) -> bool {
    match error {
        FetchError::Status(status) => status.is_client_error(),
        FetchError::Redirect(_) | FetchError::ContentType(_) | FetchError::Malformed(_) => true,
        _ => false,
    }
}
