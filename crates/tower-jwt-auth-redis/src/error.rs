use std::error::Error as StdError;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use tower_jwt_auth_core::StoreError;

/// Why a store could not be opened, and what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The prefix of the keys is none.
    #[error(
        "the prefix is empty, or has a brace, white space or a control character: give a plain name"
    )]
    Prefix,
    /// The time to wait for replicas and disks is too short or too long.
    #[error(
        "the time to wait for replicas and disks is too short or too long: give from 1 to 1400 milliseconds"
    )]
    Within,
    /// The address is none. It is not repeated, nor is the cause, for they may tell a password.
    #[error("the URL cannot be read: give redis://user:password@host:6379/0")]
    Url,
    /// The address asks for TLS, which is not built in.
    #[error("the URL asks for TLS, which is not built in: turn on the feature `tls`")]
    Tls,
    /// Nobody answers there.
    #[error("the server does not answer: see that it runs and can be reached from here")]
    Unreachable(#[source] Box<dyn StdError + Send + Sync>),
    /// The server wants another user or password.
    #[error("the server refuses the user or the password: see that those in the URL are right")]
    Authentication,
    /// The server is too old.
    #[error("the server is of version {found}: run Redis 7.0, Valkey 7.2 or newer")]
    OldServer {
        /// Its version.
        found: String,
    },
    /// The server is a replica, which is read-only and behind.
    #[error("the server is a replica: connect to the primary")]
    Replica,
    /// The server is of a cluster and has not the keys.
    #[error("the server does not hold the keys of this prefix: connect to the node that does")]
    OtherNode(#[source] Box<dyn StdError + Send + Sync>),
    /// The server removes what it holds when its memory is full: a revoked token would live again.
    #[error(
        "the server removes data when memory is short ({found}): set maxmemory-policy noeviction"
    )]
    Evicts {
        /// Its policy.
        found: String,
    },
    /// The server takes no writes just now.
    #[error("the server takes no writes: see why in the cause")]
    NoWrites(#[source] Box<dyn StdError + Send + Sync>),
    /// The server cannot tell when something is on its disk, and was asked to.
    #[error("the server cannot tell what is on its disk: {change}, or leave out with_fsync")]
    Fsync {
        /// What to change.
        change: &'static str,
    },
    /// The user may not do what the store does.
    #[error("the user may not run {command} on the keys of this prefix: allow it (ACL SETUSER)")]
    Forbidden {
        /// The command.
        command: String,
        /// What the server says.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The data under the prefix are of another version of this crate.
    #[error(
        "the data are of version {found}, not {wanted}: run the release they are of, or give another prefix"
    )]
    Version {
        /// Their version.
        found: String,
        /// The version that this release reads and writes.
        wanted: &'static str,
    },
    /// A key under the prefix is of another application.
    #[error("the key {key} is another application's, a {found}: give another prefix")]
    WrongType {
        /// The key.
        key: String,
        /// Its type.
        found: String,
    },
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers")]
    Entropy(#[source] Box<dyn StdError + Send + Sync>),
    /// Something else is wrong with the server.
    #[error("the server cannot be used: see why in the cause")]
    Server(#[source] Box<dyn StdError + Send + Sync>),
}

impl From<RedisError> for ConnectError {
    fn from(error: RedisError) -> Self {
        match error.code() {
            Some("NOAUTH" | "WRONGPASS") => return Self::Authentication,
            Some("READONLY") => return Self::Replica,
            Some("MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT") => {
                return Self::OtherNode(error.into());
            }
            Some("MISCONF" | "NOREPLICAS" | "OOM" | "LOADING") => {
                return Self::NoWrites(error.into());
            }
            _ => {}
        }
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::Authentication,
            ErrorKind::Io => Self::Unreachable(error.into()),
            _ => Self::Server(error.into()),
        }
    }
}

/// A command that the user may not run.
pub(crate) fn forbidden(command: &str) -> impl FnOnce(RedisError) -> ConnectError {
    move |error| match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoPerm) => {
            ConnectError::Forbidden { command: command.to_owned(), source: error.into() }
        }
        _ => error.into(),
    }
}

/// What a failed call means to whoever asked.
pub(crate) fn store_error(error: RedisError) -> StoreError {
    match error.code() {
        Some("CORRUPT" | "WRONGTYPE") => StoreError::corrupt(error),
        _ => StoreError::unavailable(error),
    }
}
