use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use tokio::time::sleep;
use tower_jwt_auth_core::ChangeSignal;

/// How often the file is looked at: a logout in another process is known this much later.
const EVERY: Duration = Duration::from_millis(50);

/// Rings when anyone has written to the file.
///
/// It has a connection of its own: the number that SQLite tells stays the same for the connection that wrote.
pub(super) async fn watch(mut connection: SqliteConnection, signal: Arc<ChangeSignal>) {
    let mut seen = None;
    loop {
        let version = sqlx::query_scalar::<_, i64>("PRAGMA data_version");
        match version.fetch_one(&mut connection).await {
            Ok(version) => {
                if seen.replace(version) != Some(version) {
                    signal.notify();
                }
                sleep(EVERY).await;
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the database file cannot be watched"
                );
                signal.notify();
                sleep(20 * EVERY).await;
            }
        }
    }
}
