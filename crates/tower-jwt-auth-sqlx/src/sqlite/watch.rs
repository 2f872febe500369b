use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use tokio::time::sleep;
use tower_jwt_auth_core::ChangeSignal;

/// The interval at which the file is checked. A logout in another process is known here at most this much later.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The time until the next check after an error.
const ERROR_BACKOFF: Duration = Duration::from_secs(1);

/// Raises the signal when any connection has written to the file.
///
/// It needs a connection of its own: `PRAGMA data_version` does not change for the connection that wrote.
pub(super) async fn watch_file(mut connection: SqliteConnection, signal: Arc<ChangeSignal>) {
    let mut seen = None;
    loop {
        let version = sqlx::query_scalar::<_, i64>("PRAGMA data_version");
        match version.fetch_one(&mut connection).await {
            Ok(version) => {
                if seen.replace(version) != Some(version) {
                    signal.notify();
                }
                sleep(POLL_INTERVAL).await;
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the database file cannot be watched; the log is read every second"
                );
                signal.notify();
                sleep(ERROR_BACKOFF).await;
            }
        }
    }
}
