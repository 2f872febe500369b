//! Connections to the server.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo, Pipeline, ProtocolVersion,
    RedisError, RedisResult, Script, ScriptInvocation, ServerErrorKind, Value,
};
use tokio::sync::Mutex;

use crate::durability::{Durability, NotDurable, WaitBatcher};
use crate::error::ConnectError;
use crate::timeouts::{CALL_TIMEOUT, CONNECT_TIMEOUT, RESPONSE_TIMEOUT};

/// The age from which a connection is replaced after an error of the server: its host name may lead to another server
/// by then.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
/// The time without traffic after which TCP checks a connection.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
/// The number of commands that are buffered for a connection.
const PIPELINE_BUFFER: usize = 1000;

/// Creates a client for the server at this URL.
pub(crate) fn client(url: &str) -> Result<Client, ConnectError> {
    let requires_tls = url.starts_with("rediss:") || url.starts_with("valkeys:");
    if requires_tls && cfg!(not(feature = "tls")) {
        return Err(ConnectError::Tls);
    }
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(TcpKeepalive::new().with_time(KEEPALIVE_AFTER));
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let tcp = tcp.set_user_timeout(2 * RESPONSE_TIMEOUT);
    let info = url.into_connection_info().map_err(|_| ConnectError::Url)?;
    // The user needs no permission to announce this library. RESP2 replaces the protocol of the URL, because a server
    // that does not support RESP3 repeats the password in its error.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    let settings = settings.set_protocol(ProtocolVersion::RESP2);
    let info = info.set_tcp_settings(tcp).set_redis_settings(settings);
    Client::open(info).map_err(|_| ConnectError::Url)
}

/// A shared connection that is replaced after a failure.
///
/// `ConnectionManager` of redis-rs keeps a connection whose call timed out, and one to a server that has become a
/// replica. After a failover behind one host name it would stay with the old primary.
pub(crate) struct Reconnecting {
    client: Client,
    config: AsyncConnectionConfig,
    current: Mutex<Option<Arc<Connection>>>,
}

/// A connection to the server.
pub(crate) struct Connection {
    commands: MultiplexedConnection,
    wait_batcher: WaitBatcher,
    opened_at: Instant,
}

impl Reconnecting {
    pub(crate) fn new(client: Client) -> Self {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_pipeline_buffer_size(PIPELINE_BUFFER);
        Self { client, config, current: Mutex::new(None) }
    }

    /// Returns the current connection, or opens one.
    pub(crate) async fn connection(&self) -> RedisResult<Arc<Connection>> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &*current {
            return Ok(Arc::clone(connection));
        }
        let commands = self.client.get_multiplexed_async_connection_with_config(&self.config);
        let (commands, opened_at) = (commands.await?, Instant::now());
        let wait_batcher = WaitBatcher::default();
        let connection = Arc::new(Connection { commands, wait_batcher, opened_at });
        *current = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// Runs a script. Returns its response, and the connection on which it ran.
    pub(crate) async fn run(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> RedisResult<(Value, Arc<Connection>)> {
        let connection = self.connection().await?;
        let response = call.invoke_async(&mut connection.commands()).await;
        if let Err(error) = &response {
            self.discard_after(error, &connection).await;
        }
        Ok((response?, connection))
    }

    /// Runs a pipeline that calls one script. Returns the responses of its commands.
    pub(crate) async fn run_pipeline(
        &self,
        script: &Script,
        pipeline: &Pipeline,
    ) -> RedisResult<Vec<Value>> {
        let connection = self.connection().await?;
        let mut commands = connection.commands();
        let mut responses = run_pipeline(pipeline, &mut commands).await;
        let is_unknown = ErrorKind::Server(ServerErrorKind::NoScript);
        if responses.as_ref().is_err_and(|error| error.kind() == is_unknown) {
            responses = match script.load_async(&mut commands).await {
                Ok(_) => run_pipeline(pipeline, &mut commands).await,
                Err(error) => Err(error),
            };
        }
        if let Err(error) = &responses {
            self.discard_after(error, &connection).await;
        }
        responses
    }

    /// Makes the next call open a new connection, unless only the failed call was at fault. Calls that wait for a
    /// response on the old connection keep waiting.
    pub(crate) async fn discard_after(&self, error: &RedisError, connection: &Arc<Connection>) {
        if matches!(error.code(), Some("CORRUPT" | "VERSION" | "OOM" | "BUSY" | "LOADING")) {
            return;
        }
        // A server that responds with an error is reachable. Not every call opens a new connection to it.
        if !error.is_io_error() && connection.opened_at.elapsed() < RECONNECT_AFTER {
            return;
        }
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection)) {
            *current = None;
        }
    }
}

impl Connection {
    /// Returns a handle that sends commands on this connection.
    pub(crate) fn commands(&self) -> MultiplexedConnection {
        self.commands.clone()
    }

    /// Waits until all earlier writes of this connection are durable.
    pub(crate) async fn confirm(&self, durability: &Durability) -> Result<(), NotDurable> {
        self.wait_batcher.run(durability.wait(self.commands())).await
    }
}

/// Runs a pipeline. Returns the first error, with its code.
async fn run_pipeline(
    pipeline: &Pipeline,
    commands: &mut MultiplexedConnection,
) -> RedisResult<Vec<Value>> {
    let responses: Vec<Value> = pipeline.query_async(commands).await?;
    responses.into_iter().map(Value::extract_error).collect()
}

/// Runs a call. Returns an error after [`CALL_TIMEOUT`].
pub(crate) async fn with_timeout<T>(call: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}
