use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tower_jwt_auth_tests::servers::Postgres;

use super::stdout_of;
use crate::BoxError;

/// A copy of the store's sessions, with the primary key as the only index.
const TABLE: &str = "CREATE TABLE baseline WITH (fillfactor = 80) AS \
     SELECT row_number() OVER () AS row, * FROM tower_jwt_auth_sessions; \
     ALTER TABLE baseline ADD PRIMARY KEY (row); VACUUM ANALYZE baseline;";

/// Each client updates its own row, as the clients of the store do.
const UPDATE: &str = "UPDATE baseline SET generation = generation + 1, \
     rotated_at = rotated_at + 1, idle_until = idle_until + 1, access_until = access_until + 1 \
     WHERE row = :client_id + 1 AND generation >= 0 RETURNING *;\n";

/// `pgbench` with the script [`UPDATE`].
pub(crate) struct PostgresBaseline<'a> {
    program: PathBuf,
    url: &'a str,
    directory: TempDir,
}

impl<'a> PostgresBaseline<'a> {
    pub(super) fn prepare(
        program: PathBuf,
        server: &'a Postgres,
        url: &'a str,
    ) -> Result<Self, BoxError> {
        // One statement at a time: VACUUM must not share a transaction.
        for sql in TABLE.split_inclusive(';') {
            server.psql(url, sql);
        }
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("update.sql"), UPDATE)?;
        Ok(Self { program, url, directory })
    }

    pub(super) async fn rate(&self, clients: usize, duration: Duration) -> Result<f64, BoxError> {
        let mut pgbench = Command::new(&self.program);
        pgbench.args(["--no-vacuum", "--protocol=prepared", "--client"]).arg(clients.to_string());
        pgbench.arg("--jobs").arg(clients.min(2).to_string());
        pgbench.arg("--time").arg(duration.as_secs().max(1).to_string());
        pgbench.arg("--file").arg(self.directory.path().join("update.sql")).arg(self.url);
        let output = stdout_of(&mut pgbench, duration).await?;
        if output.contains("\nnumber of transactions actually processed: 0\n") {
            // The disk stalled all the time; pgbench then prints no rate.
            return Ok(0.0);
        }
        let rate = output.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
        Ok(rate.ok_or_else(|| format!("the output of pgbench has no rate: {output}"))?.parse()?)
    }
}
