//! Waking those who follow the log. Notifications save time and nothing else: the log is read on a timer too.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{PgPool, Postgres};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tower_jwt_auth_core::ChangeSignal;

use crate::desk::Desk;

const CHANNEL: &str = "tower_jwt_auth";
/// How often the log is read though nobody has told of anything.
const POLL: Duration = Duration::from_secs(1);
/// How long notifications are collected: one in so long is enough, and many in a row queue for one lock.
const GATHER: Duration = Duration::from_millis(5);

/// Rings when another node has told of an entry, and now and then in any case.
pub(super) async fn listen(options: Arc<PgConnectOptions>, signal: Arc<ChangeSignal>) {
    // A connection beside the pool: it waits all its life, and would take a place from those who work.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with((*options).clone());
    loop {
        if let Err(error) = hear(&pool, &signal).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "notifications do not arrive; the log is looked at every second"
            );
        }
        signal.notify();
        sleep(POLL).await;
    }
}

/// Rings until the connection fails; silence, and a connection that was made anew, are no failures.
async fn hear(pool: &PgPool, signal: &ChangeSignal) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        if let Ok(heard) = timeout(POLL, listener.try_recv()).await {
            heard?;
        }
        signal.notify();
    }
}

/// Tells the other nodes that the log has grown.
///
/// Not in the transaction that wrote: transactions that notify commit one after the other in PostgreSQL, each
/// waiting for its own sync of the disk.
pub(super) async fn tell(desk: Arc<Desk<Postgres>>, grown: Arc<Notify>) {
    loop {
        grown.notified().await;
        if let Ok(mut lease) = desk.lend().await {
            let told = sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL);
            let told = told.execute(&mut *lease).await;
            // The others find out by themselves, a little later.
            let _ = lease.settle(told);
        }
        sleep(GATHER).await;
    }
}
