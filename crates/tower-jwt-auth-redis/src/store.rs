use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, Cmd, FromRedisValue, Script, ScriptInvocation, Value};
use tokio_util::task::AbortOnDropHandle;
use tower_jwt_auth_core::{ChangeSignal, EntropyError, StoreError, TokenId};

use crate::connection::{Reconnecting, client, with_timeout};
use crate::convert::{malformed_response, millis};
use crate::durability::{Durability, NotDurable};
use crate::error::{ConnectError, store_error};
use crate::keys::Keys;
use crate::options::RedisOptions;
use crate::preflight::preflight;
use crate::scripts::AFTER_RESTORE;
use crate::watch::watch;

/// The maximum number of entries or sessions that one script reads, removes, or ends after a restore. A script blocks
/// the server.
pub(crate) const MAX_BATCH: usize = 1000;

/// A store of sessions and revocations in Redis or Valkey, for any number of machines.
///
/// The server must be the primary of Redis 7.0, Valkey 7.2 or later, with `maxmemory-policy noeviction`. All times are
/// those of the server, in milliseconds. An acknowledged change survives a crash of the server only as far as the
/// server's persistence goes: with `appendonly yes` and `appendfsync always` it does. Replication is asynchronous, so
/// a failover can lose an acknowledged change unless [`RedisOptions::with_replicas`] is set.
///
/// Each call is one script: one transaction and one round trip, or two round trips if the call waits for replicas or
/// disks. A page of the log is read by a command between two scripts, in one round trip. Purging and [`after_restore`](Self::after_restore) run one script for each batch. A call that takes longer
/// than 4.5 seconds fails.
///
/// The store has one or two connections for calls, and a task with a connection of its own that watches the log. The
/// task runs until the store is dropped, so the store must be created in a Tokio runtime.
///
/// # Examples
///
/// ```no_run
/// use tower_jwt_auth_core::{SessionId, SessionStore};
/// use tower_jwt_auth_redis::RedisStore;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisStore::connect("redis://sessions.internal:6379/").await?;
/// assert!(store.load(SessionId::random()?).await?.is_none());
/// # Ok(())
/// # }
/// ```
pub struct RedisStore {
    keys: Keys,
    connection: Reconnecting,
    /// The connection for changes that wait for replicas or disks, because waiting blocks it.
    durable: Option<(Reconnecting, Durability)>,
    /// Raised when this or another node has changed the log.
    pub(crate) signal: Arc<ChangeSignal>,
    _watch: AbortOnDropHandle<()>,
}

impl RedisStore {
    /// Connects to the server at a URL with the default options.
    ///
    /// The URL has the form `redis://user:password@host:6379/0`, `rediss://…` for TLS (with the feature `tls`), or
    /// `redis+unix:///path` for a Unix socket.
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError`] if the URL is malformed, or if the server does not answer or does not meet the
    /// requirements.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with(url, RedisOptions::default()).await
    }

    /// Connects to the server at a URL with these options.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use tower_jwt_auth_redis::{RedisOptions, RedisStore};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let options = RedisOptions::default()
    ///     .with_prefix("shop")?
    ///     .with_replicas(1, Duration::from_millis(500));
    /// let store = RedisStore::connect_with("redis://sessions.internal:6379/", options).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError`] if an option is invalid or the URL is malformed, or if the server does not answer or
    /// does not meet the requirements.
    pub async fn connect_with(url: &str, options: RedisOptions) -> Result<Self, ConnectError> {
        let durability = options.durability()?;
        let client = client(url)?;
        let keys = Keys::new(options.prefix());
        let reconnecting = Reconnecting::new(client.clone());
        let mut commands = reconnecting.connection().await?.commands();
        let incarnation =
            random_incarnation().map_err(|error| ConnectError::Entropy(error.into()))?;
        preflight(&mut commands, &keys, &durability, &incarnation).await?;
        Ok(Self::start(client, keys, reconnecting, durability))
    }

    fn start(client: Client, keys: Keys, connection: Reconnecting, durability: Durability) -> Self {
        let durable = durability.waits().then(|| (Reconnecting::new(client.clone()), durability));
        let signal = Arc::new(ChangeSignal::new());
        let watch = watch(client, keys.log().to_owned(), Arc::clone(&signal));
        let watch = AbortOnDropHandle::new(tokio::spawn(watch));
        Self { keys, connection, durable, signal, _watch: watch }
    }

    /// Ends all sessions and restarts the log. Returns the number of sessions that it ended.
    ///
    /// Call it once after the data were restored from a backup, before the first request: the backup contains sessions
    /// that were ended since. Every reader of the log reads it from the start. The call takes as long as it needs to
    /// end all sessions, 1000 at a time.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if it is not certain whether all sessions were ended. A second call ends the rest.
    /// Returns [`StoreError::Corrupt`] if sessions could not be read; all others were ended.
    pub async fn after_restore(&self) -> Result<usize, StoreError> {
        let mut incarnation = random_incarnation().map_err(StoreError::unavailable)?;
        let mut scan = "0".to_owned();
        let (mut ended, mut unreadable) = (0, 0);
        loop {
            let mut call = self.call(&AFTER_RESTORE);
            call.arg(&incarnation).arg(&scan).arg(MAX_BATCH);
            let batch: (String, usize, usize) = self.run_durably(&call).await?;
            scan = batch.0;
            ended += batch.1;
            unreadable += batch.2;
            self.signal.notify();
            if scan == "0" {
                break;
            }
            incarnation.clear();
        }
        match unreadable {
            0 => Ok(ended),
            count => {
                Err(StoreError::corrupt(format!("{count} sessions cannot be read: remove them")))
            }
        }
    }

    /// Creates a call of a script, without the arguments of that script.
    pub(crate) fn call(&self, script: &'static Script) -> ScriptInvocation<'static> {
        self.keys.invocation(script)
    }

    /// Runs a script.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let (response, _) = with_timeout(self.connection.run(call)).await.map_err(store_error)?;
        decode(response)
    }

    /// Creates a call of a script for [`run_pipeline`](Self::run_pipeline), without the arguments of that script.
    pub(crate) fn command(&self, script: &Script) -> Cmd {
        self.keys.command(script)
    }

    /// Returns the key of the log.
    pub(crate) fn log_key(&self) -> &str {
        self.keys.log()
    }

    /// Runs commands in one round trip, of which some call this script. Returns their responses.
    pub(crate) async fn run_pipeline<const N: usize>(
        &self,
        script: &Script,
        commands: [Cmd; N],
    ) -> Result<[Value; N], StoreError> {
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command(command);
        }
        // Errors are among the responses. Otherwise an error of a pipeline lacks the code of the server.
        pipeline.ignore_errors();
        let responses = with_timeout(self.connection.run_pipeline(script, &pipeline)).await;
        responses.map_err(store_error)?.try_into().map_err(|_| malformed_response())
    }

    /// Runs a script that ends sessions or revokes tokens, and waits until its changes are durable.
    pub(crate) async fn run_durably<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let Some((reconnecting, durability)) = &self.durable else { return self.run(call).await };
        let run = async {
            let (response, connection) = reconnecting.run(call).await?;
            let confirmed = connection.confirm(durability).await;
            if let Err(NotDurable::Unknown(error)) = &confirmed {
                reconnecting.discard_after(error, &connection).await;
            }
            Ok((response, confirmed))
        };
        let (response, confirmed) = with_timeout(run).await.map_err(store_error)?;
        confirmed.map_err(StoreError::unavailable)?;
        decode(response)
    }

    /// Runs a purging script in batches until it finds no more or has removed `limit`. Returns how many it removed.
    pub(crate) async fn purge(
        &self,
        script: &'static Script,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut removed = 0;
        while removed < limit {
            let batch = MAX_BATCH.min(limit - removed);
            let mut call = self.call(script);
            call.arg(millis(older_than)).arg(batch);
            let count: usize = self.run(&call).await?;
            removed += count;
            if count < batch {
                break;
            }
        }
        Ok(removed)
    }
}

impl fmt::Debug for RedisStore {
    /// Omits the connections, which contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("keys", &self.keys.root()).finish_non_exhaustive()
    }
}

/// Creates the incarnation of a new log. It is an ID like any other, of 128 random bits.
pub(crate) fn random_incarnation() -> Result<String, EntropyError> {
    TokenId::random().map(|id| id.to_string())
}

/// Converts a response. The error contains nothing of it, because it may contain claims of users.
pub(crate) fn decode<T: FromRedisValue>(response: Value) -> Result<T, StoreError> {
    redis::from_redis_value(response).map_err(|_| malformed_response())
}
