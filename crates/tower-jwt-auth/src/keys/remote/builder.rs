use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_jwt_auth_core::{Clock, SystemClock};
use tower_service::Service;

use super::client::{self, Client};
use super::error::BoxError;
use super::key_set::RemoteKeySet;
use super::refresher;
use super::request::Requester;
use super::schedule::{self, Schedule};
use super::shared::Shared;
use super::source::{KeyFetcher, Location};
use crate::background::{self, Background};
use crate::error::ConfigError;

/// The maximum size of a response, in bytes.
const DEFAULT_MAX_BODY_SIZE: usize = 512 * 1024;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than the timeout of the whole request, so that a host's second address is tried in time.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Builds a [`RemoteKeySet`].
///
/// # Examples
///
/// The HTTP client is a [`tower::Service`](Service), here one that answers by itself:
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::{BoxError, service_fn};
/// use tower_jwt_auth::keys::RemoteKeySet;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = service_fn(async |request: Request<_>| {
///     assert_eq!(request.uri(), "https://login.example/jwks");
///     let set = r#"{"keys":[{
///         "kty": "OKP", "crv": "Ed25519", "kid": "2026",
///         "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
///     }]}"#;
///     Ok::<_, BoxError>(Response::new(Full::<bytes::Bytes>::from(set)))
/// });
/// let keys = RemoteKeySet::from_jwks_url("https://login.example/jwks").client(client).build()?;
/// keys.ready().await;
/// assert_eq!(keys.status().keys(), 1);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct RemoteKeySetBuilder {
    location: Result<Location, ConfigError>,
    client: Option<Arc<dyn Client>>,
    connect_timeout: Duration,
    timeout: Duration,
    max_body_size: usize,
    schedule: Schedule,
    clock: Arc<dyn Clock>,
}

impl RemoteKeySet {
    /// Configures the keys of this JWK set URL. It must be https, or http of a loopback host.
    pub fn from_jwks_url(url: &str) -> RemoteKeySetBuilder {
        RemoteKeySetBuilder::new(Location::jwks(url), "JWK set URL")
    }

    /// Configures the keys of this issuer, whose metadata has their URL.
    ///
    /// The metadata is requested as OpenID Connect Discovery §4 says and, if it is not there, as RFC 8414 §3 says. It
    /// must name exactly this issuer. It is requested again every hour and after each failure. The issuer must be
    /// https, or http of a loopback host.
    pub fn discover(issuer: &str) -> RemoteKeySetBuilder {
        RemoteKeySetBuilder::new(Location::discovery(issuer), "issuer URL")
    }
}

impl RemoteKeySetBuilder {
    fn new(location: Result<Location, &'static str>, what: &'static str) -> Self {
        Self {
            location: location.map_err(|problem| ConfigError::Url { what, problem }),
            client: None,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            timeout: DEFAULT_TIMEOUT,
            max_body_size: DEFAULT_MAX_BODY_SIZE,
            schedule: Schedule::default(),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Sets the HTTP client, for example one with a proxy, other root certificates or a client certificate.
    ///
    /// The default one is hyper with rustls and the root certificates of the operating system, which
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` replace. It uses no proxy. A client should not follow redirects: the rules
    /// for URLs are not applied to their targets.
    pub fn client<S, B>(mut self, client: S) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        self.client = Some(client::erase(client));
        self
    }

    /// Sets how long the default client may take to connect over TCP: 2 seconds unless set. Another client has a
    /// timeout of its own for this.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long a request may take, from name resolution to the end of the response: 5 seconds unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the maximum size of a response in bytes: 512 KiB unless set.
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.max_body_size = bytes;
        self
    }

    /// Sets the minimum time between a successful fetch and the next scheduled one: 1 minute unless set.
    pub fn min_refresh_interval(mut self, interval: Duration) -> Self {
        self.schedule.min_refresh_interval = interval;
        self
    }

    /// Sets the maximum time between a successful fetch and the next scheduled one: 1 hour unless set. A key that the
    /// issuer has withdrawn is accepted for as long as this; after failed fetches, until the next attempt, which comes
    /// within a minute.
    pub fn max_refresh_interval(mut self, interval: Duration) -> Self {
        self.schedule.max_refresh_interval = interval;
        self
    }

    /// Sets the minimum time between fetches for tokens with unknown keys: 30 seconds unless set.
    ///
    /// Anyone can send such tokens, so this bounds the load on the provider. It is also the time for which a new key
    /// may stay unknown while somebody does.
    pub fn cool_down(mut self, time: Duration) -> Self {
        self.schedule.cool_down = time;
        self
    }

    /// Sets how long a request with an unknown key waits for a fetch: 2 seconds unless set.
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.schedule.wait_timeout = timeout;
        self
    }

    /// Sets how old the keys may become while they cannot be fetched: 24 hours unless set.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.schedule.max_age = age;
        self
    }

    /// Sets the clock by which the keys age, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the settings and starts the task that fetches the keys.
    ///
    /// With the default client, the first set of a process reads the root certificates from files.
    ///
    /// # Errors
    ///
    /// - [`ConfigError::Url`] if the URL is neither https nor http of a loopback host.
    /// - [`ConfigError::Duration`] if a duration is outside of its bounds.
    /// - [`ConfigError::RootCertificates`] if the default client finds no root certificates.
    /// - [`ConfigError::NoRuntime`] outside of a tokio runtime.
    pub fn build(self) -> Result<RemoteKeySet, ConfigError> {
        let location = self.location?;
        self.schedule.check()?;
        let (min, max) = (Duration::from_millis(10), Duration::from_secs(60));
        let hint = "give 10 milliseconds to a minute";
        schedule::check("request timeout", self.timeout, min, max, hint)?;
        schedule::check("connect timeout", self.connect_timeout, min, max, hint)?;
        let runtime = background::runtime()?;
        let client = match (self.client, location.needs_tls()) {
            (Some(client), _) => client,
            (None, Some(true)) => client::https(self.connect_timeout)?,
            (None, Some(false)) => client::plain(self.connect_timeout),
            (None, None) => client::https(self.connect_timeout)
                .unwrap_or_else(|_| client::plain(self.connect_timeout)),
        };
        let requester =
            Requester { client, timeout: self.timeout, max_body_size: self.max_body_size };
        let shared = Arc::new(Shared::new(self.schedule, self.clock));
        let task = Background::start(&runtime, "fetcher of a remote key set", {
            let shared = Arc::clone(&shared);
            move || {
                let source = KeyFetcher::new(location.clone(), requester.clone());
                refresher::run(Arc::clone(&shared), source)
            }
        });
        Ok(RemoteKeySet::new(shared, task))
    }
}

impl fmt::Debug for RemoteKeySetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeySetBuilder")
            .field("timeout", &self.timeout)
            .field("max_body_size", &self.max_body_size)
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}
