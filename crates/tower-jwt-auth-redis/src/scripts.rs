//! The Lua scripts. Each call of the store runs one of them: one transaction and one round trip. Only the log is read
//! with a command between two scripts.
//!
//! The first line of a script declares to the server that the script may write. The server then rejects the script on
//! a replica, on a primary without the replicas that `min-replicas-to-write` requires, and after an error of its disk.
//! This also holds for scripts that only read, because their results could be out of date there.
//!
//! `allow-oom` lets a script run when memory is full. Only [`INSERT`] lacks it, so that sessions can still be
//! refreshed and revoked.

use std::sync::LazyLock;

use redis::Script;

macro_rules! scripts {
    ($($name:ident: $first_line:literal, $($file:literal),+;)+) => {$(
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(
                $first_line,
                "\n",
                $(include_str!(concat!("scripts/", $file, ".lua"))),+
            ))
        });
    )+};
}

scripts! {
    PREFLIGHT: "#!lua flags=allow-oom", "preflight";
    INSERT: "#!lua",
        "shared/prelude", "shared/session_row", "shared/revoke", "shared/end_session", "insert";
    LOAD: "#!lua flags=allow-oom", "shared/prelude", "shared/session_row", "load";
    LIST: "#!lua flags=allow-oom", "shared/prelude", "shared/session_row", "list";
    ADVANCE: "#!lua flags=allow-oom", "shared/prelude", "shared/session_row", "advance";
    LATE_RETRY: "#!lua flags=allow-oom", "shared/prelude", "shared/session_row", "late_retry";
    END: "#!lua flags=allow-oom",
        "shared/prelude", "shared/session_row", "shared/revoke", "shared/end_session", "end";
    END_BATCH: "#!lua flags=allow-oom",
        "shared/prelude", "shared/session_row", "shared/revoke", "shared/end_session", "end_batch";
    AFTER_RESTORE: "#!lua flags=allow-oom",
        "shared/prelude", "shared/session_row", "shared/revoke", "shared/end_session",
        "after_restore";
    PURGE_SESSIONS: "#!lua flags=allow-oom",
        "shared/prelude", "shared/session_row", "purge_sessions";
    APPEND: "#!lua flags=allow-oom", "shared/prelude", "shared/revoke", "append";
    LOG_STATE: "#!lua flags=allow-oom", "shared/prelude", "log_state";
    IS_REVOKED: "#!lua flags=allow-oom", "shared/prelude", "shared/revoke", "is_revoked";
    PURGE_LOG: "#!lua flags=allow-oom", "shared/prelude", "shared/revoke", "purge_log";
}
