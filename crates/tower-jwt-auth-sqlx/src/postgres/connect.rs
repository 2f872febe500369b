//! Connections, and the checks of the server and its settings.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool};
use tokio::time::timeout;
use tower_jwt_auth_core::STORE_TIMEOUT;

use crate::error::ConnectError;
use crate::postgres::statements::SET_UP;

/// The time that a new connection may take.
const CONNECT_TIMEOUT: Duration = STORE_TIMEOUT;
/// The maximum number of connections, without the one that receives notifications.
const MAX_CONNECTIONS: u32 = 16;
/// The first version with 64-bit transaction IDs.
const MIN_SERVER_VERSION: i32 = 130_000;

/// The time after which the server cancels a statement.
const STATEMENT_TIMEOUT: Duration = STORE_TIMEOUT;
/// The time after which the server closes a connection with an idle transaction.
const IDLE_TRANSACTION_TIMEOUT: Duration = STORE_TIMEOUT.saturating_mul(2);

/// The parameters of a connection string that sqlx knows. It logs other parameters with their values, and the value
/// of a mistyped parameter may be a password.
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

/// Parses a connection string.
pub(super) fn connect_options(url: &str) -> Result<PgConnectOptions, ConnectError> {
    let (_, query) = url.split_once('?').unwrap_or_default();
    let is_known = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default();
        PARAMETERS.contains(&name) || name.starts_with("options[") || name.is_empty()
    };
    if !query.split('&').all(is_known) {
        let unknown =
            format!("a parameter is unknown; the known ones are {}", PARAMETERS.join(", "));
        return Err(ConnectError::Url(unknown.into()));
    }
    let options =
        PgConnectOptions::from_str(url).map_err(|error| ConnectError::Url(error.into()))?;
    Ok(options.disable_statement_logging())
}

/// Opens the first connection. Unlike a pool, which retries, it returns the error.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, ConnectError> {
    let connected = timeout(CONNECT_TIMEOUT, options.connect()).await;
    connected.map_err(|elapsed| ConnectError::Unreachable(elapsed.into()))?.map_err(connect_error)
}

/// Closes the first connection.
pub(super) async fn close(connection: PgConnection) {
    // The connection is not needed any more, so an error has no consequence.
    let _ = connection.close().await;
}

/// The row of [`SET_UP`]: whether the server is a standby, and the new values of the settings.
type SetUpRow = (bool, String, String, String, String, String, String);

/// Creates the pool. It opens connections when they are first used.
pub(super) fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .test_before_acquire(false)
        .acquire_timeout(CONNECT_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                let millis = |timeout: Duration| format!("{}ms", timeout.as_millis());
                let set_up = sqlx::query_as::<_, SetUpRow>(SET_UP)
                    .bind(millis(STATEMENT_TIMEOUT))
                    .bind(millis(IDLE_TRANSACTION_TIMEOUT));
                match set_up.fetch_one(connection).await? {
                    (false, ..) => Ok(()),
                    (true, ..) => Err(sqlx::Error::Protocol("the server is a standby".to_owned())),
                }
            })
        })
        .connect_lazy_with(options)
}

/// Checks the version, the role and the encoding of the server.
pub(super) async fn check_server(connection: &mut PgConnection) -> Result<(), ConnectError> {
    let server = "SELECT current_setting('server_version_num')::int, \
         current_setting('server_version'), pg_is_in_recovery(), current_setting('server_encoding')";
    let (version, found, is_standby, encoding): (i32, String, bool, String) =
        sqlx::query_as(server).fetch_one(connection).await.map_err(connect_error)?;
    if version < MIN_SERVER_VERSION {
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

/// Checks that the settings of an application's connection keep the guarantees of the store.
pub(super) async fn check_settings(connection: &mut PgConnection) -> Result<(), ConnectError> {
    let settings = "SELECT current_setting('default_transaction_isolation'), \
         current_setting('synchronous_commit'), current_setting('default_transaction_read_only')";
    let (isolation, commit, read_only): (String, String, String) =
        sqlx::query_as(settings).fetch_one(connection).await.map_err(connect_error)?;
    if read_only != "off" {
        let (name, required) = ("default_transaction_read_only", "off");
        return Err(ConnectError::Setting { name, found: read_only, required });
    }
    if isolation != "read committed" {
        let (name, required) = ("default_transaction_isolation", "'read committed'");
        return Err(ConnectError::Setting { name, found: isolation, required });
    }
    if commit == "off" {
        let (name, required) = ("synchronous_commit", "on");
        return Err(ConnectError::Setting { name, found: commit, required });
    }
    Ok(())
}

/// Converts an error of sqlx to the reason for which the store could not be opened.
pub(super) fn connect_error(error: sqlx::Error) -> ConnectError {
    match &error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => ConnectError::Unreachable(error.into()),
        sqlx::Error::Configuration(_) => ConnectError::Url(error.into()),
        sqlx::Error::Database(answer) => match answer.code().as_deref() {
            // Invalid authorization, invalid password, unknown database, insufficient privilege.
            Some("28000" | "28P01" | "3D000" | "42501") => ConnectError::Rejected(error.into()),
            // The server starts, stops or has no connection left.
            Some("57P03" | "57P01" | "53300") => ConnectError::Unreachable(error.into()),
            _ => ConnectError::Database(error.into()),
        },
        _ => ConnectError::Database(error.into()),
    }
}
