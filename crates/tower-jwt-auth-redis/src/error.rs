use std::error::Error as StdError;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use tower_jwt_auth_core::StoreError;

use crate::timeouts::MAX_WAIT_TIMEOUT;

/// The cause of an error. Its type is not part of the public interface.
type Source = Box<dyn StdError + Send + Sync>;

/// The reason for which a store could not be opened.
///
/// The message says what to change. It contains no password.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_redis::ConnectError;
///
/// /// Whether a later attempt can succeed without a change of the configuration.
/// fn is_temporary(error: &ConnectError) -> bool {
///     matches!(error, ConnectError::Unreachable(_) | ConnectError::WritesRejected(_))
/// }
///
/// let error = ConnectError::EvictionPolicy { found: "allkeys-lru".into() };
/// assert!(!is_temporary(&error));
/// assert_eq!(
///     error.to_string(),
///     "the server evicts keys when memory is full (allkeys-lru): set maxmemory-policy noeviction"
/// );
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The prefix of the keys is empty or contains a character that is not allowed.
    #[error("the prefix is empty, or contains a brace, white space or a control character")]
    Prefix,
    /// The time to wait for replicas and disks is not in the range from 1 to 1400 milliseconds.
    #[error(
        "the time to wait for replicas and disks is out of range: use 1 to {} milliseconds",
        MAX_WAIT_TIMEOUT.as_millis()
    )]
    WaitTimeout,
    /// The URL is malformed. The error contains neither the URL nor the cause, because both may contain a password.
    #[error("the URL cannot be parsed: use redis://user:password@host:6379/0")]
    Url,
    /// The URL requires TLS, and the crate was built without the feature `tls`.
    #[error("the URL requires TLS: enable the feature `tls`")]
    Tls,
    /// The server does not answer.
    #[error("the server does not answer: check that it runs and is reachable from here")]
    Unreachable(#[source] Source),
    /// The server rejects the user or the password.
    #[error("the server rejects the user or the password: check those of the URL")]
    Authentication,
    /// The server is older than Redis 7.0.
    #[error("the server has version {found}: Redis 7.0, Valkey 7.2 or later is required")]
    OldServer {
        /// The version of the server.
        found: String,
    },
    /// The server is a replica, which is read-only and behind the primary.
    #[error("the server is a replica: connect to the primary")]
    Replica,
    /// The server is a node of a cluster that does not hold the keys of the prefix.
    #[error("the server does not hold the keys of this prefix: connect to the node that does")]
    WrongNode(#[source] Source),
    /// The server evicts keys when its memory is full. An evicted revocation makes its token valid again.
    #[error(
        "the server evicts keys when memory is full ({found}): set maxmemory-policy noeviction"
    )]
    EvictionPolicy {
        /// The `maxmemory-policy` of the server.
        found: String,
    },
    /// The server rejects writes at the moment, for example because it lacks replicas, memory or disk space.
    #[error("the server rejects writes: see the cause")]
    WritesRejected(#[source] Source),
    /// The server cannot report whether a write is on its disk, as
    /// [`with_fsync`](crate::RedisOptions::with_fsync) requires.
    #[error(
        "the server cannot report whether a write is on its disk: {remedy}, or omit with_fsync"
    )]
    Fsync {
        /// The change of the server that enables it.
        remedy: &'static str,
    },
    /// The user lacks the permission for a command that the store needs.
    #[error("the user may not run {command} on the keys of this prefix: allow it (ACL SETUSER)")]
    PermissionDenied {
        /// The command.
        command: String,
        /// The error of the server.
        #[source]
        source: Source,
    },
    /// The data under the prefix have a version that this release does not support.
    #[error(
        "the data have version {found}, not {required}: run the release that wrote them, or use another prefix"
    )]
    DataVersion {
        /// The version of the data.
        found: String,
        /// The version that this release requires.
        required: &'static str,
    },
    /// A key under the prefix belongs to another application.
    #[error("the key {key} has the type {found} of another application: use another prefix")]
    WrongType {
        /// The key.
        key: String,
        /// The type of its value.
        found: String,
    },
    /// The operating system returned no random numbers.
    #[error("the operating system returned no random numbers")]
    Entropy(#[source] Source),
    /// The server failed in another way.
    #[error("the server cannot be used: see the cause")]
    Server(#[source] Source),
}

impl From<RedisError> for ConnectError {
    fn from(error: RedisError) -> Self {
        match error.code() {
            Some("NOAUTH" | "WRONGPASS") => return Self::Authentication,
            Some("READONLY") => return Self::Replica,
            Some("MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT") => {
                return Self::WrongNode(error.into());
            }
            Some("MISCONF" | "NOREPLICAS" | "OOM" | "LOADING") => {
                return Self::WritesRejected(error.into());
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

/// Converts the error of a command, which the user may lack the permission for.
pub(crate) fn command_error(command: &str) -> impl FnOnce(RedisError) -> ConnectError {
    move |error| match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoPerm) => {
            ConnectError::PermissionDenied { command: command.to_owned(), source: error.into() }
        }
        _ => error.into(),
    }
}

/// Converts the error of a call to the error of a store.
pub(crate) fn store_error(error: RedisError) -> StoreError {
    match error.code() {
        Some("CORRUPT" | "WRONGTYPE") => StoreError::corrupt(error),
        _ => StoreError::unavailable(error),
    }
}
