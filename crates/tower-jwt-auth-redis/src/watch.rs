//! The watcher of the revocation log. It only saves time: readers also read the log on a timer.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, Value};
use tower_jwt_auth_core::ChangeSignal;

use crate::timeouts::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT};

/// The time that the server waits for a new entry before it responds.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause after a failure. It doubles with each further one up to [`MAX_RETRY_BACKOFF`].
const MIN_RETRY_BACKOFF: Duration = Duration::from_millis(100);
const MAX_RETRY_BACKOFF: Duration = Duration::from_secs(5);

/// Raises the signal when the log has changed. Uses a connection of its own, because `XREAD` blocks it.
pub(crate) async fn watch(client: Client, log: String, signal: Arc<ChangeSignal>) {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(BLOCK_TIMEOUT + RESPONSE_TIMEOUT));
    let mut backoff = MIN_RETRY_BACKOFF;
    loop {
        let result = match client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(mut connection) => watch_log(&mut connection, &log, &signal, &mut backoff).await,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the revocation log cannot be watched; it is read every second"
            );
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(MAX_RETRY_BACKOFF);
    }
}

/// Raises the signal at each change, and once at the start, until the connection fails.
async fn watch_log(
    connection: &mut MultiplexedConnection,
    log: &str,
    signal: &ChangeSignal,
    backoff: &mut Duration,
) -> RedisResult<()> {
    let mut seen = None;
    loop {
        let last = last_id(connection, log).await?;
        if seen.as_ref() != Some(&last) {
            signal.notify();
        }
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(1).arg("BLOCK").arg(BLOCK_TIMEOUT.as_millis() as u64);
        read.arg("STREAMS").arg(log).arg(&last);
        let _: Value = read.query_async(connection).await?;
        *backoff = MIN_RETRY_BACKOFF;
        seen = Some(last);
    }
}

/// Returns the ID of the last entry.
async fn last_id(connection: &mut MultiplexedConnection, log: &str) -> RedisResult<String> {
    let mut read = redis::cmd("XREVRANGE");
    read.arg(log).arg("+").arg("-").arg("COUNT").arg(1);
    let found: Vec<(String, Value)> = read.query_async(connection).await?;
    Ok(found.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id))
}
