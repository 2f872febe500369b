//! The checks of the server, of the data and of the user's permissions before the store is used.

use redis::aio::MultiplexedConnection;

use crate::durability::Durability;
use crate::error::{ConnectError, command_error};
use crate::keys::{Keys, SCHEMA_VERSION};
use crate::scripts::PREFLIGHT;

/// Checks that the server loses no data, that the data under the prefix are those of a store, and that the user has
/// all permissions. Gives the log its incarnation if it has none, and raises the version of older data.
pub(crate) async fn preflight(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
    durability: &Durability,
    incarnation: &str,
) -> Result<(), ConnectError> {
    // All sections: servers before Redis 7.0 accept no list of sections.
    let info: String =
        redis::cmd("INFO").query_async(connection).await.map_err(command_error("INFO"))?;
    check_server(&info)?;
    if !has_append_only_file(&info) {
        tracing::warn!(
            "appendonly is off on the Redis server: a restart may undo acknowledged logouts"
        );
    }
    if durability.waits() {
        check_wait(connection, durability, &info).await?;
    }
    check_data(connection, keys, incarnation).await
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = info.lines().filter_map(|line| line.trim_end().split_once(':'));
    fields.find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn has_append_only_file(info: &str) -> bool {
    field(info, "aof_enabled") == Some("1")
}

fn check_server(info: &str) -> Result<(), ConnectError> {
    // Valkey reports the version of Redis with which it is compatible.
    let version = field(info, "redis_version").unwrap_or("unknown");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 7) {
        return Err(ConnectError::OldServer { found: version.to_owned() });
    }
    if field(info, "role") != Some("master") {
        return Err(ConnectError::Replica);
    }
    match field(info, "maxmemory_policy") {
        Some("noeviction") => Ok(()),
        policy => {
            Err(ConnectError::EvictionPolicy { found: policy.unwrap_or("unknown").to_owned() })
        }
    }
}

/// Checks that the server supports the command for waiting and that the user may run it. Waits for no replica.
async fn check_wait(
    connection: &mut MultiplexedConnection,
    durability: &Durability,
    info: &str,
) -> Result<(), ConnectError> {
    if !durability.fsync {
        let mut wait = redis::cmd("WAIT");
        wait.arg(0).arg(1);
        return wait.query_async(connection).await.map_err(command_error("WAIT"));
    }
    let known: Vec<Option<redis::Value>> = redis::cmd("COMMAND")
        .arg("INFO")
        .arg("WAITAOF")
        .query_async(connection)
        .await
        .map_err(command_error("COMMAND"))?;
    if !matches!(&*known, [Some(_)]) {
        return Err(ConnectError::Fsync { remedy: "run Redis 7.2, Valkey 7.2 or later" });
    }
    if !has_append_only_file(info) {
        return Err(ConnectError::Fsync { remedy: "set appendonly yes" });
    }
    let mut wait = redis::cmd("WAITAOF");
    wait.arg(0).arg(0).arg(1);
    wait.query_async(connection).await.map_err(command_error("WAITAOF"))
}

/// Runs the script that checks the data and the permissions.
async fn check_data(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
    incarnation: &str,
) -> Result<(), ConnectError> {
    let mut call = keys.invocation(&PREFLIGHT);
    call.arg(incarnation);
    let result: Vec<String> =
        call.invoke_async(connection).await.map_err(command_error("EVALSHA or SCRIPT LOAD"))?;
    let result: Vec<&str> = result.iter().map(String::as_str).collect();
    match *result {
        ["ok"] => Ok(()),
        ["version", found] => {
            Err(ConnectError::DataVersion { found: found.to_owned(), required: SCHEMA_VERSION })
        }
        ["type", key, found] => {
            Err(ConnectError::WrongType { key: key.to_owned(), found: found.to_owned() })
        }
        ["command", command, error] => Err(ConnectError::PermissionDenied {
            command: command.to_owned(),
            source: error.into(),
        }),
        _ => Err(ConnectError::Server("the response to a script is malformed".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(version: &str, role: &str, policy: &str) -> String {
        format!(
            "# Server\r\nredis_version:{version}\r\n\r\n# Memory\r\nmaxmemory_policy:{policy}\r\n\
             # Replication\r\nrole:{role}\r\n"
        )
    }

    #[test]
    fn a_server_that_is_old_or_a_replica_or_evicts_keys_is_rejected() {
        let check = |version, role, policy| check_server(&info(version, role, policy));
        assert!(check("7.0.0", "master", "noeviction").is_ok());
        assert!(check("10.1.0", "master", "noeviction").is_ok());
        for old in ["6.2.14", "5", "", "seven"] {
            let result = check(old, "master", "noeviction");
            assert!(matches!(result, Err(ConnectError::OldServer { .. })), "{old}");
        }
        let result = check("7.0.0", "slave", "noeviction");
        assert!(matches!(result, Err(ConnectError::Replica)));
        for policy in ["allkeys-lru", "volatile-ttl", ""] {
            let result = check("7.0.0", "master", policy);
            assert!(matches!(result, Err(ConnectError::EvictionPolicy { .. })), "{policy}");
        }
        assert!(check_server("").is_err());
    }
}
