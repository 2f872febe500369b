//! Connections to the server.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, ProtocolVersion, RedisError, RedisResult,
    ScriptInvocation, Value,
};
use tokio::sync::Mutex;

use crate::ConnectError;
use crate::confirm::Gate;

/// How long it may take to be connected.
pub(crate) const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take.
pub(crate) const ANSWER: Duration = Duration::from_secs(4);
/// How long a call may take in all: shorter than the 5 seconds after which nobody waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_millis(4500);
/// How long a connection is kept on which the server refuses: the name may lead to another one by now.
const ANEW: Duration = Duration::from_secs(1);
/// How long a quiet connection may be dead without being noticed.
const QUIET: Duration = Duration::from_secs(15);

/// The client for a server of this address.
pub(crate) fn client(url: &str) -> Result<Client, ConnectError> {
    let asks_for_tls = url.starts_with("rediss:") || url.starts_with("valkeys:");
    if asks_for_tls && cfg!(not(feature = "tls")) {
        return Err(ConnectError::Tls);
    }
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(TcpKeepalive::new().with_time(QUIET));
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(2 * ANSWER);
    let info = url.into_connection_info().map_err(|_| ConnectError::Url)?;
    // Users need not be allowed to tell the server what library this is. Whatever the URL asks for, RESP2 does:
    // a server that does not know how to begin RESP3 repeats the password in its error.
    let login = info.redis_settings().clone().set_skip_set_lib_name();
    let login = login.set_protocol(ProtocolVersion::RESP2);
    let info = info.set_tcp_settings(settings).set_redis_settings(login);
    Client::open(info).map_err(|_| ConnectError::Url)
}

/// A connection that many share, and that is made anew when it has failed.
///
/// `ConnectionManager` of redis-rs keeps its connection when a call times out, and when the server has become a
/// replica: after a failover behind one name it would stay with the old primary for ever.
pub(crate) struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    line: Mutex<Option<Arc<Line>>>,
}

/// One connection, for as long as it lives.
pub(crate) struct Line {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) gate: Gate,
    made: Instant,
}

impl Link {
    pub(crate) fn new(client: Client) -> Self {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_pipeline_buffer_size(1000);
        Self { client, config, line: Mutex::new(None) }
    }

    /// The connection, made now if there is none.
    pub(crate) async fn line(&self) -> RedisResult<Arc<Line>> {
        let mut slot = self.line.lock().await;
        if let Some(line) = &*slot {
            return Ok(Arc::clone(line));
        }
        let connection = self.client.get_multiplexed_async_connection_with_config(&self.config);
        let (connection, made) = (connection.await?, Instant::now());
        let line = Arc::new(Line { connection, gate: Gate::default(), made });
        *slot = Some(Arc::clone(&line));
        Ok(line)
    }

    /// Runs a script, and tells on which connection.
    pub(crate) async fn run(&self, call: &ScriptInvocation<'_>) -> RedisResult<(Value, Arc<Line>)> {
        let line = self.line().await?;
        let answer = call.invoke_async(&mut line.connection.clone()).await;
        if let Err(error) = &answer {
            self.give_up_after(error, &line).await;
        }
        Ok((answer?, line))
    }

    /// Lets the next call make a new connection, unless the fault was the call's alone. Those who wait for an
    /// answer on the old one go on waiting.
    pub(crate) async fn give_up_after(&self, error: &RedisError, line: &Arc<Line>) {
        if matches!(error.code(), Some("CORRUPT" | "VERSION" | "OOM" | "BUSY" | "LOADING")) {
            return;
        }
        // A server that answers with errors is asked again by another name now and then, not at each call.
        if !error.is_io_error() && line.made.elapsed() < ANEW {
            return;
        }
        let mut slot = self.line.lock().await;
        if slot.as_ref().is_some_and(|current| Arc::ptr_eq(current, line)) {
            *slot = None;
        }
    }
}

/// The work, or an error when it takes too long.
pub(crate) async fn in_time<T>(work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}
