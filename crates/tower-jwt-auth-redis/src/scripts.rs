//! The scripts, each of which is one call of the store: one transaction and one round trip.
//!
//! With a first line like this, the server knows before it starts one that it may write, and refuses it where
//! writing is not to be done: on a replica, on a primary that has lost its replicas (`min-replicas-to-write`) or
//! its disk. That is wanted of those that only read, too: what they would say may be out of date.
//!
//! When memory is full, only what takes more of it is refused: signing in. Whatever is stolen can be revoked.

use std::sync::LazyLock;

use redis::Script;

macro_rules! script {
    ($first:literal, $($part:literal),+) => {
        LazyLock::new(|| {
            let text = concat!($first, "\n", $(include_str!(concat!("scripts/", $part, ".lua"))),+);
            Script::new(text)
        })
    };
}

macro_rules! scripts {
    ($($name:ident: $first:literal, $($part:literal),+;)+) => {
        $(pub(crate) static $name: LazyLock<Script> = script!($first, $($part),+);)+
    };
}

scripts! {
    OPEN: "#!lua flags=allow-oom", "open";
    INSERT: "#!lua", "base", "row", "revoke", "ending", "insert";
    LOAD: "#!lua flags=allow-oom", "base", "row", "load";
    LIST: "#!lua flags=allow-oom", "base", "row", "list";
    ADVANCE: "#!lua flags=allow-oom", "base", "row", "advance";
    LATE_RETRY: "#!lua flags=allow-oom", "base", "row", "late_retry";
    END: "#!lua flags=allow-oom", "base", "row", "revoke", "ending", "end";
    END_BATCH: "#!lua flags=allow-oom", "base", "row", "revoke", "ending", "end_batch";
    RENEW: "#!lua flags=allow-oom", "base", "row", "revoke", "ending", "renew";
    PURGE_SESSIONS: "#!lua flags=allow-oom", "base", "row", "purge_sessions";
    APPEND: "#!lua flags=allow-oom", "base", "revoke", "append";
    READ: "#!lua flags=allow-oom", "base", "read";
    IS_REVOKED: "#!lua flags=allow-oom", "base", "revoke", "is_revoked";
    PURGE_LOG: "#!lua flags=allow-oom", "base", "revoke", "purge_log";
}
