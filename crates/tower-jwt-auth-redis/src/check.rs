//! What a server must be to be used.

use redis::aio::MultiplexedConnection;

use crate::ConnectError;
use crate::confirm::Wanted;
use crate::error::forbidden;
use crate::keys::{Keys, SCHEMA};
use crate::scripts::OPEN;

/// Sees that the server keeps what it is given, that what it holds is ours, and that we may do what we have to;
/// and gives the log a name where it has none.
pub(crate) async fn check(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
    wanted: &Wanted,
    incarnation: &str,
) -> Result<(), ConnectError> {
    // Asked for whole: servers that are too old take no list of sections.
    let info: String =
        redis::cmd("INFO").query_async(connection).await.map_err(forbidden("INFO"))?;
    check_server(&info)?;
    if field(&info, "aof_enabled") != Some("1") {
        tracing::warn!(
            "the Redis server has appendonly off: a restart may undo logouts that were acknowledged"
        );
    }
    if wanted.is_more() {
        check_waiting(connection, wanted, &info).await?;
    }
    open(connection, keys, incarnation).await
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let fields = info.lines().filter_map(|line| line.trim_end().split_once(':'));
    fields.filter(|(found, _)| *found == name).map(|(_, value)| value).next()
}

fn check_server(info: &str) -> Result<(), ConnectError> {
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
        policy => Err(ConnectError::Evicts { found: policy.unwrap_or("unknown").to_owned() }),
    }
}

/// Waits for nobody, to see that waiting can be asked for.
async fn check_waiting(
    connection: &mut MultiplexedConnection,
    wanted: &Wanted,
    info: &str,
) -> Result<(), ConnectError> {
    if !wanted.fsync {
        let mut wait = redis::cmd("WAIT");
        wait.arg(0).arg(1);
        return wait.query_async(connection).await.map_err(forbidden("WAIT"));
    }
    let known: Vec<Option<redis::Value>> = redis::cmd("COMMAND")
        .arg("INFO")
        .arg("WAITAOF")
        .query_async(connection)
        .await
        .map_err(forbidden("COMMAND"))?;
    if !matches!(&*known, [Some(_)]) {
        return Err(ConnectError::Fsync { change: "run Redis 7.2, Valkey 7.2 or newer" });
    }
    if field(info, "aof_enabled") != Some("1") {
        return Err(ConnectError::Fsync { change: "set appendonly yes" });
    }
    let mut wait = redis::cmd("WAITAOF");
    wait.arg(0).arg(0).arg(1);
    wait.query_async(connection).await.map_err(forbidden("WAITAOF"))
}

async fn open(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
    incarnation: &str,
) -> Result<(), ConnectError> {
    let mut call = keys.begin(&OPEN);
    call.arg(incarnation);
    let found: Vec<String> =
        call.invoke_async(connection).await.map_err(forbidden("EVALSHA or SCRIPT LOAD"))?;
    match &*found {
        [is] if is == "open" => Ok(()),
        [is, version] if is == "version" => {
            Err(ConnectError::Version { found: version.clone(), wanted: SCHEMA })
        }
        [is, key, kind] if is == "type" => {
            Err(ConnectError::WrongType { key: key.clone(), found: kind.clone() })
        }
        [is, command, reason] if is == "command" => Err(ConnectError::Forbidden {
            command: command.clone(),
            source: reason.as_str().into(),
        }),
        _ => Err(ConnectError::Server("its answer is none of a script of this crate".into())),
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
    fn a_server_that_forgets_or_is_too_old_is_refused() {
        let check = |version, role, policy| check_server(&info(version, role, policy));
        assert!(check("7.0.0", "master", "noeviction").is_ok());
        assert!(check("10.1.0", "master", "noeviction").is_ok());
        for old in ["6.2.14", "5", "", "seven"] {
            let refused = check(old, "master", "noeviction");
            assert!(matches!(refused, Err(ConnectError::OldServer { .. })), "{old}");
        }
        let refused = check("7.0.0", "slave", "noeviction");
        assert!(matches!(refused, Err(ConnectError::Replica)));
        for policy in ["allkeys-lru", "volatile-ttl", ""] {
            let refused = check("7.0.0", "master", policy);
            assert!(matches!(refused, Err(ConnectError::Evicts { .. })), "{policy}");
        }
        assert!(check_server("").is_err());
    }
}
