use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, Value};
use tower_jwt_auth_core::ChangeSignal;

use crate::link::{ANSWER, CONNECT};

/// How long the server waits for something to come.
const BLOCK: Duration = Duration::from_secs(5);
/// How long to wait after a failure, doubled each time up to the second one.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Rings when the log has grown, on a connection of its own, for as long as it is polled.
///
/// It only saves time. What it misses is found by those who look by themselves now and then.
pub(crate) async fn watch(client: Client, log: String, signal: Arc<ChangeSignal>) {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(BLOCK + ANSWER));
    let mut pause = RETRY.0;
    loop {
        let failed = match client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(mut connection) => follow(&mut connection, &log, &signal, &mut pause).await,
            Err(error) => Err(error),
        };
        if let Err(error) = failed {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the revocation log cannot be watched; it is looked at every second"
            );
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY.1);
    }
}

async fn follow(
    connection: &mut MultiplexedConnection,
    log: &str,
    signal: &ChangeSignal,
    pause: &mut Duration,
) -> RedisResult<()> {
    let mut seen = None;
    loop {
        let last = last_id(connection, log).await?;
        if seen.as_ref() != Some(&last) {
            signal.notify();
        }
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(1).arg("BLOCK").arg(BLOCK.as_millis() as u64);
        read.arg("STREAMS").arg(log).arg(&last);
        let _: Value = read.query_async(connection).await?;
        *pause = RETRY.0;
        seen = Some(last);
    }
}

/// The id of the last entry that is there.
async fn last_id(connection: &mut MultiplexedConnection, log: &str) -> RedisResult<String> {
    let mut read = redis::cmd("XREVRANGE");
    read.arg(log).arg("+").arg("-").arg("COUNT").arg(1);
    let found: Vec<(String, Value)> = read.query_async(connection).await?;
    Ok(found.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id))
}
