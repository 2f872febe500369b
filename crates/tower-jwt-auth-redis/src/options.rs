use std::time::Duration;

use crate::durability::Durability;
use crate::error::ConnectError;
use crate::timeouts::MAX_WAIT_TIMEOUT;

/// The options of a [`RedisStore`](crate::RedisStore).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth_redis::RedisOptions;
///
/// let options = RedisOptions::default()
///     .with_prefix("shop")?
///     .with_replicas(1, Duration::from_millis(500));
/// # Ok::<(), tower_jwt_auth_redis::ConnectError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RedisOptions {
    prefix: String,
    durability: Durability,
}

impl Default for RedisOptions {
    /// The prefix is `tower-jwt-auth`, and a write is acknowledged without waiting for replicas or disks.
    fn default() -> Self {
        Self { prefix: "tower-jwt-auth".to_owned(), durability: Durability::default() }
    }
}

impl RedisOptions {
    /// Sets the prefix of all keys, so that several applications can share a server. All nodes of an application use
    /// the same prefix.
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError::Prefix`] if the prefix is empty or contains a brace, white space or a control
    /// character. The keys have the prefix in braces, which keeps them together in a cluster.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, ConnectError> {
        let is_forbidden = |c: char| matches!(c, '{' | '}') || c.is_whitespace() || c.is_control();
        if prefix.is_empty() || prefix.contains(is_forbidden) {
            return Err(ConnectError::Prefix);
        }
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    /// Acknowledges the end of a session or a revocation only when this number of replicas has it (`WAIT`).
    ///
    /// `timeout` is the maximum time to wait, from 1 to 1400 milliseconds. After it the call returns
    /// [`StoreError::Unavailable`](tower_jwt_auth_core::StoreError::Unavailable). The change is then made on the
    /// primary, and lost if the primary fails before the replicas have it. The call can be repeated: it then waits for
    /// the same change.
    ///
    /// [`RedisStore::connect_with`](crate::RedisStore::connect_with) returns [`ConnectError::WaitTimeout`] if the
    /// timeout is out of range.
    pub fn with_replicas(mut self, count: usize, timeout: Duration) -> Self {
        self.durability.replicas = count;
        self.durability.timeout = timeout;
        self
    }

    /// Acknowledges the end of a session or a revocation only when it is in the append-only file on the disk of the
    /// server, and on those of the replicas of [`with_replicas`](Self::with_replicas) (`WAITAOF`).
    ///
    /// The server must be Redis 7.2, Valkey 7.2 or later, with `appendonly yes`. A server with `appendfsync always`
    /// does the same for its own disk without this option. The maximum time to wait is that of
    /// [`with_replicas`](Self::with_replicas), or 1400 milliseconds.
    pub fn with_fsync(mut self) -> Self {
        self.durability.fsync = true;
        self
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the durability if its timeout is in range. For the server, a timeout of 0 is infinite.
    pub(crate) fn durability(&self) -> Result<Durability, ConnectError> {
        let range = Duration::from_millis(1)..=MAX_WAIT_TIMEOUT;
        if range.contains(&self.durability.timeout) {
            Ok(self.durability)
        } else {
            Err(ConnectError::WaitTimeout)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_no_braces_white_space_or_control_characters() {
        for good in ["a", "tower-jwt-auth", "shop:eu", "läden"] {
            assert!(RedisOptions::default().with_prefix(good).is_ok(), "{good}");
        }
        for bad in ["", "{a}", "a}", "a b", "a\n", "a\0"] {
            let result = RedisOptions::default().with_prefix(bad);
            assert!(matches!(result, Err(ConnectError::Prefix)), "{bad:?}");
        }
    }

    #[test]
    fn the_timeout_is_in_the_documented_range() {
        let durability = |timeout| RedisOptions::default().with_replicas(1, timeout).durability();
        assert!(durability(MAX_WAIT_TIMEOUT).is_ok());
        let too_long = MAX_WAIT_TIMEOUT + Duration::from_millis(1);
        for bad in [Duration::ZERO, Duration::from_micros(999), too_long] {
            assert!(matches!(durability(bad), Err(ConnectError::WaitTimeout)), "{bad:?}");
        }
        assert!(RedisOptions::default().durability().is_ok());
    }
}
