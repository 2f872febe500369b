//! Notifications between nodes about new log entries. They only save time: each node also reads the log on a timer.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{PgPool, Postgres};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tower_jwt_auth_core::ChangeSignal;

use crate::pool::CheckedPool;

const CHANNEL: &str = "tower_jwt_auth";
/// The interval at which the log is read without a notification.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The time in which further notifications are merged into one: concurrent notifications wait for one lock of the
/// server.
const NOTIFY_DEBOUNCE: Duration = Duration::from_millis(5);

/// Raises the signal at each notification, and at every [`POLL_INTERVAL`] in any case. Reconnects after errors.
pub(super) async fn receive_loop(options: Arc<PgConnectOptions>, signal: Arc<ChangeSignal>) {
    // A pool of its own: the listener keeps its connection for good, which would be missing in the store's pool.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with((*options).clone());
    loop {
        if let Err(error) = receive(&pool, &signal).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "notifications are unavailable; the log is read every second"
            );
        }
        signal.notify();
        sleep(POLL_INTERVAL).await;
    }
}

/// Receives notifications until the connection cannot be restored.
async fn receive(pool: &PgPool, signal: &ChangeSignal) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // A timeout, and `None` after a reconnect, are not errors.
        if let Ok(received) = timeout(POLL_INTERVAL, listener.try_recv()).await {
            received?;
        }
        signal.notify();
    }
}

/// Sends a notification to the other nodes after each change of the log.
///
/// The notification is a statement of its own after the commit. PostgreSQL serializes the commits of transactions that
/// notify, each of which waits for its own sync of the disk.
pub(super) async fn send_loop(pool: Arc<CheckedPool<Postgres>>, log_changed: Arc<Notify>) {
    loop {
        log_changed.notified().await;
        if let Ok(connection) = pool.acquire().await {
            let notify = sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL);
            // After an error, the other nodes find the entry at their next poll.
            let _ = connection.execute(notify).await;
        }
        sleep(NOTIFY_DEBOUNCE).await;
    }
}
