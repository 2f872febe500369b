//! The HTTP client: any service, or hyper with rustls.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use tower_service::Service;

use super::error::{BoxError, FetchError};
use crate::error::ConfigError;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A client with erased types.
pub(super) trait Client: Send + Sync {
    /// Sends a request and reads the body of a response with status 200. Other bodies are left unread.
    fn send(
        &self,
        request: Request<Full<Bytes>>,
        max_body_size: usize,
    ) -> BoxFuture<Result<Response<Bytes>, FetchError>>;
}

/// Erases the types of a service.
pub(super) fn erase<S, B>(service: S) -> Arc<dyn Client>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    // The mutex makes it `Sync`, which a boxed service is not.
    Arc::new(Erased(Mutex::new(service)))
}

struct Erased<S>(Mutex<S>);

impl<S, B> Client for Erased<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    fn send(
        &self,
        request: Request<Full<Bytes>>,
        max_body_size: usize,
    ) -> BoxFuture<Result<Response<Bytes>, FetchError>> {
        let mut service = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            let failed = |error: S::Error| FetchError::Connection(error.into());
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(failed)?;
            let (parts, body) = service.call(request).await.map_err(failed)?.into_parts();
            if parts.status != StatusCode::OK {
                return Ok(Response::from_parts(parts, Bytes::new()));
            }
            let body = Limited::new(body, max_body_size).collect().await.map_err(|error| {
                match error.is::<LengthLimitError>() {
                    true => FetchError::TooLarge(max_body_size),
                    false => FetchError::Connection(error),
                }
            })?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        })
    }
}

/// Creates a client that speaks HTTP/1.1 and, with the root certificates of the operating system, TLS.
pub(super) fn https(connect_timeout: Duration) -> Result<Arc<dyn Client>, ConfigError> {
    Ok(connect_with(tls_config()?, connect_timeout))
}

/// Creates a client that speaks HTTP/1.1 without TLS, for loopback hosts.
pub(super) fn plain(connect_timeout: Duration) -> Arc<dyn Client> {
    erase(without_pool().build::<_, Full<Bytes>>(tcp(connect_timeout)))
}

pub(super) fn connect_with(config: ClientConfig, connect_timeout: Duration) -> Arc<dyn Client> {
    let mut tcp = tcp(connect_timeout);
    tcp.enforce_http(false);
    let connector: HttpsConnector<HttpConnector> = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    erase(without_pool().build::<_, Full<Bytes>>(connector))
}

fn tcp(connect_timeout: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    // Divided by the number of addresses of the host.
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp
}

/// Returns a builder without a pool: a connection would be idle until the next fetch, minutes later.
fn without_pool() -> legacy::Builder {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder.pool_max_idle_per_host(0);
    builder
}

/// Returns the configuration of TLS. All key sets share the root certificates, which are read from files once.
fn tls_config() -> Result<ClientConfig, ConfigError> {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    // The provider is named, since the process may have none or another one as its default.
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| ConfigError::RootCertificates)?
        .with_native_roots()
        .map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "no root certificates");
            ConfigError::RootCertificates
        })?
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| config).clone())
}
