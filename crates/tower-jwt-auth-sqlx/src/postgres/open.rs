//! Connecting and making the tables.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool};
use tokio::time::timeout;

use super::PostgresStore;
use crate::error::ConnectError;
use crate::{check_version, to_come};

/// How long the first connection may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many connections there are at most.
const CONNECTIONS: u32 = 16;
/// The lock under which tables are made; its number is no other than this crate's.
const MIGRATING: i64 = 0x746a_6175_7468;
/// The oldest server that knows 64-bit transaction ids.
const OLDEST: i32 = 130_000;

/// What every connection of ours is told: what it acknowledges is on disk, and nothing that was given up goes
/// on for long. No statement of ours is worth compiling.
const SET_UP: &str = "SELECT pg_is_in_recovery(), \
     set_config('default_transaction_isolation', 'read committed', false), \
     set_config('synchronous_commit', CASE current_setting('synchronous_commit') \
         WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false), \
     set_config('default_transaction_read_only', 'off', false), \
     set_config('jit', 'off', false), \
     set_config('statement_timeout', '5s', false), \
     set_config('idle_in_transaction_session_timeout', '10s', false)";

/// The parameters of a connection string that sqlx knows. It logs others with their values, which may be a
/// password behind a mistyped name.
const PARAMETERS: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

pub(super) fn options(url: &str) -> Result<PgConnectOptions, ConnectError> {
    let (_, query) = url.split_once('?').unwrap_or_default();
    let is_known = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default();
        PARAMETERS.contains(&name) || name.starts_with("options[") || name.is_empty()
    };
    if !query.split('&').all(is_known) {
        let known = format!("a parameter is none of {}", PARAMETERS.join(", "));
        return Err(ConnectError::Url(known.into()));
    }
    let options =
        PgConnectOptions::from_str(url).map_err(|error| ConnectError::Url(error.into()))?;
    Ok(options.disable_statement_logging())
}

/// The first connection, which tells what is wrong; a pool would try again instead.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, ConnectError> {
    let connecting = timeout(PATIENCE, options.connect()).await;
    connecting.map_err(|elapsed| ConnectError::Unreachable(elapsed.into()))?.map_err(error)
}

pub(super) async fn close(connection: PgConnection) {
    // What goes wrong in closing it was no use of ours.
    let _ = connection.close().await;
}

/// Whether the server is a standby, and what the settings are now.
type SetUp = (bool, String, String, String, String, String, String);

pub(super) fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .test_before_acquire(false)
        .acquire_timeout(PATIENCE)
        .after_connect(|connection, _| {
            Box::pin(async move {
                let set_up = sqlx::query_as::<_, SetUp>(SET_UP);
                match set_up.fetch_one(connection).await? {
                    (false, ..) => Ok(()),
                    (true, ..) => Err(sqlx::Error::Protocol("the server is a standby".to_owned())),
                }
            })
        })
        .connect_lazy_with(options)
}

/// Brings the tables up to date.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<(), ConnectError> {
    check_server(connection).await?;
    let mut transaction = connection
        .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        .await
        .map_err(error)?;
    let alone = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATING);
    alone.execute(&mut *transaction).await.map_err(error)?;
    let found = version(&mut transaction).await?;
    for migration in to_come(PostgresStore::MIGRATIONS, found.unwrap_or(0)) {
        sqlx::raw_sql(migration.sql).execute(&mut *transaction).await.map_err(error)?;
    }
    let found = version(&mut transaction).await?;
    transaction.commit().await.map_err(error)?;
    check_version(PostgresStore::MIGRATIONS, found)
}

/// Sees that the tables are those of this release.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), ConnectError> {
    check_server(connection).await?;
    let found = version(connection).await?;
    check_version(PostgresStore::MIGRATIONS, found)
}

/// Sees that connections which others set up keep what the store promises.
pub(super) async fn check_settings(connection: &mut PgConnection) -> Result<(), ConnectError> {
    let settings = "SELECT current_setting('default_transaction_isolation'), \
         current_setting('synchronous_commit'), current_setting('default_transaction_read_only')";
    let (isolation, commit, read_only): (String, String, String) =
        sqlx::query_as(settings).fetch_one(connection).await.map_err(error)?;
    if read_only != "off" {
        let (name, wanted) = ("default_transaction_read_only", "off");
        return Err(ConnectError::Setting { name, found: read_only, wanted });
    }
    if isolation != "read committed" {
        let (name, wanted) = ("default_transaction_isolation", "'read committed'");
        return Err(ConnectError::Setting { name, found: isolation, wanted });
    }
    if commit == "off" {
        let (name, wanted) = ("synchronous_commit", "on");
        return Err(ConnectError::Setting { name, found: commit, wanted });
    }
    Ok(())
}

async fn check_server(connection: &mut PgConnection) -> Result<(), ConnectError> {
    let server = "SELECT current_setting('server_version_num')::int, \
         current_setting('server_version'), pg_is_in_recovery(), current_setting('server_encoding')";
    let (version, found, is_standby, encoding): (i32, String, bool, String) =
        sqlx::query_as(server).fetch_one(connection).await.map_err(error)?;
    if version < OLDEST {
        return Err(ConnectError::OldServer { found });
    }
    if is_standby {
        return Err(ConnectError::Standby);
    }
    if encoding != "UTF8" {
        return Err(ConnectError::Encoding { found: encoding });
    }
    Ok(())
}

async fn version(connection: &mut PgConnection) -> Result<Option<i32>, ConnectError> {
    let there = sqlx::query_scalar("SELECT to_regclass('tower_jwt_auth_meta') IS NOT NULL");
    if !there.fetch_one(&mut *connection).await.map_err(error)? {
        return Ok(None);
    }
    let version = sqlx::query_scalar("SELECT version FROM tower_jwt_auth_meta");
    version.fetch_optional(connection).await.map_err(error)
}

pub(super) fn error(error: sqlx::Error) -> ConnectError {
    match &error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => ConnectError::Unreachable(error.into()),
        sqlx::Error::Configuration(_) => ConnectError::Url(error.into()),
        sqlx::Error::Database(answer) => match answer.code().as_deref() {
            // Invalid authorization, invalid password, no such database, insufficient privilege.
            Some("28000" | "28P01" | "3D000" | "42501") => ConnectError::Refused(error.into()),
            // The server starts, stops or has no connection left.
            Some("57P03" | "57P01" | "53300") => ConnectError::Unreachable(error.into()),
            _ => ConnectError::Database(error.into()),
        },
        _ => ConnectError::Database(error.into()),
    }
}
