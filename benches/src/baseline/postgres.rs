use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tower_jwt_auth_tests::servers::Postgres;

use super::stdout_of;
use crate::BoxError;

/// `pgbench` with a script of ours.
pub(crate) struct PostgresBaseline<'a> {
    program: PathBuf,
    url: &'a str,
    directory: TempDir,
}

/// The rows of the store with nothing but a primary key.
const TABLE: &str = "CREATE TABLE baseline WITH (fillfactor = 80) AS \
     SELECT row_number() OVER () AS row, * FROM tower_jwt_auth_sessions; \
     ALTER TABLE baseline ADD PRIMARY KEY (row); VACUUM ANALYZE baseline;";

/// Each client has a row of its own, as in the other columns.
const UPDATE: &str = "UPDATE baseline SET generation = generation + 1, rotated_at = rotated_at + 1, \
     idle_until = idle_until + 1, access_until = access_until + 1 \
     WHERE row = :client_id + 1 AND generation >= 0 RETURNING *;\n";

impl<'a> PostgresBaseline<'a> {
    pub(super) fn prepare(
        program: PathBuf,
        server: &'a Postgres,
        url: &'a str,
    ) -> Result<Self, BoxError> {
        // One command at a time: VACUUM is for itself.
        for sql in TABLE.split_inclusive(';') {
            server.psql(url, sql);
        }
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("update.sql"), UPDATE)?;
        Ok(Self { program, url, directory })
    }

    pub(super) async fn rate(&self, clients: usize, time: Duration) -> Result<f64, BoxError> {
        let mut pgbench = Command::new(&self.program);
        pgbench.args(["--no-vacuum", "--protocol=prepared", "--client"]).arg(clients.to_string());
        pgbench.arg("--jobs").arg(clients.min(2).to_string());
        pgbench.arg("--time").arg(time.as_secs().max(1).to_string());
        pgbench.arg("--file").arg(self.directory.path().join("update.sql")).arg(self.url);
        let output = stdout_of(&mut pgbench, time).await?;
        if output.contains("\nnumber of transactions actually processed: 0\n") {
            // The disk stood still for all that time; pgbench then tells no rate.
            return Ok(0.0);
        }
        let rate = output.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
        Ok(rate.ok_or_else(|| format!("pgbench tells no rate: {output}"))?.parse()?)
    }
}
