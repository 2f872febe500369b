use std::time::Duration;

use crate::ConnectError;
use crate::confirm::{LONGEST, Wanted};

/// How a [`RedisStore`](crate::RedisStore) uses its server.
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
    wanted: Wanted,
}

impl Default for RedisOptions {
    /// The prefix `tower-jwt-auth`, and nobody but the server to wait for.
    fn default() -> Self {
        Self { prefix: "tower-jwt-auth".to_owned(), wanted: Wanted::default() }
    }
}

impl RedisOptions {
    /// Puts all keys under this prefix, so that several applications can share a server. All nodes of one
    /// application must agree on it.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Prefix`] when it is empty, or has braces, white space or control characters: keys are
    /// kept together in a cluster by the braces around it.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, ConnectError> {
        let is_odd = |c: char| matches!(c, '{' | '}') || c.is_whitespace() || c.is_control();
        if prefix.is_empty() || prefix.contains(is_odd) {
            return Err(ConnectError::Prefix);
        }
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    /// Acknowledges an ending or a revocation only once this many replicas have it (`WAIT`); an error says that
    /// they did not answer within this time, at most 1.4 seconds.
    ///
    /// It has happened on the server all the same, and may be lost if that fails now. To ask again does no harm,
    /// and waits again.
    pub fn with_replicas(mut self, count: usize, within: Duration) -> Self {
        self.wanted.replicas = count;
        self.wanted.within = within;
        self
    }

    /// Acknowledges an ending or a revocation only once it is in the append-only file on the server's disk
    /// (`WAITAOF`, which Redis has since 7.2), and on those of the replicas that are waited for.
    ///
    /// With `appendfsync always` that is so without asking.
    pub fn with_fsync(mut self) -> Self {
        self.wanted.fsync = true;
        self
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Who else has to have an ending.
    pub(crate) fn wanted(&self) -> Result<Wanted, ConnectError> {
        // For the server, no milliseconds are for ever.
        let may_wait = Duration::from_millis(1)..=LONGEST;
        if may_wait.contains(&self.wanted.within) {
            Ok(self.wanted)
        } else {
            Err(ConnectError::Within)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_plain_name() {
        for good in ["a", "tower-jwt-auth", "shop:eu", "läden"] {
            assert!(RedisOptions::default().with_prefix(good).is_ok(), "{good}");
        }
        for bad in ["", "{a}", "a}", "a b", "a\n", "a\0"] {
            let refused = RedisOptions::default().with_prefix(bad);
            assert!(matches!(refused, Err(ConnectError::Prefix)), "{bad:?}");
        }
    }

    #[test]
    fn waiting_ends_before_anyone_is_out_of_patience() {
        let within = |time| RedisOptions::default().with_replicas(1, time).wanted();
        assert!(within(LONGEST).is_ok());
        for bad in [Duration::ZERO, Duration::from_micros(999), LONGEST + Duration::from_millis(1)]
        {
            assert!(matches!(within(bad), Err(ConnectError::Within)), "{bad:?}");
        }
        assert!(RedisOptions::default().wanted().is_ok());
    }
}
