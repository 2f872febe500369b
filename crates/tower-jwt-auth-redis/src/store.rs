use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, FromRedisValue, Script, ScriptInvocation, Value};
use tokio::task::AbortHandle;
use tower_jwt_auth_core::{ChangeSignal, StoreError};

use crate::check::check;
use crate::confirm::{Lack, Wanted};
use crate::error::store_error;
use crate::keys::Keys;
use crate::link::{Link, client, in_time};
use crate::scripts::RENEW;
use crate::{ConnectError, RedisOptions, watch};

/// The most that is read, ended after a restore, or removed by one script, so that none holds up the server.
pub(crate) const BATCH: usize = 1000;

/// Sessions and revocations in Redis or Valkey, for any number of machines.
///
/// Time is the server's. Every change of a session is one script: one transaction and one round trip, two where
/// replicas or disks are waited for. Removing what is over, and [`after_restore`](Self::after_restore), go in
/// batches.
///
/// # Examples
///
/// ```no_run
/// use tower_jwt_auth_core::{SessionId, SessionStore};
/// use tower_jwt_auth_redis::RedisStore;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisStore::connect("redis://sessions.internal:6379/").await?;
/// assert!(store.load(SessionId::random()?).await?.is_none());
/// # Ok(())
/// # }
/// ```
pub struct RedisStore {
    keys: Keys,
    link: Link,
    /// Where endings go that replicas or disks are waited for: whoever waits holds up what comes after.
    careful: Option<(Link, Wanted)>,
    pub(crate) signal: Arc<ChangeSignal>,
    watch: AbortHandle,
}

impl RedisStore {
    /// Connects to the server at `redis://user:password@host:6379/0` (`rediss://` for TLS, with the feature
    /// `tls`; `redis+unix:///path` for a socket).
    ///
    /// To be called in the tokio runtime that the store is used in, which watches the log.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], which says what to change.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with(url, RedisOptions::default()).await
    }

    /// Connects to the server, and uses it as these options say.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], which says what to change.
    pub async fn connect_with(url: &str, options: RedisOptions) -> Result<Self, ConnectError> {
        let wanted = options.wanted()?;
        let client = client(url)?;
        let keys = Keys::new(options.prefix());
        let link = Link::new(client.clone());
        let line = link.line().await?;
        let incarnation = random().map_err(|error| ConnectError::Entropy(error.into()))?;
        check(&mut line.connection.clone(), &keys, &wanted, &incarnation).await?;
        Ok(Self::new(client, keys, link, wanted))
    }

    fn new(client: Client, keys: Keys, link: Link, wanted: Wanted) -> Self {
        let careful = wanted.is_more().then(|| (Link::new(client.clone()), wanted));
        let signal = Arc::new(ChangeSignal::new());
        let watching = watch::watch(client, keys.log().to_owned(), Arc::clone(&signal));
        let watch = tokio::spawn(watching).abort_handle();
        Self { keys, link, careful, signal, watch }
    }

    /// Ends all sessions and starts the log anew; tells how many sessions it ended.
    ///
    /// To be called once after the data have been restored from a backup, before anyone is served: sessions that
    /// were ended since the backup live again in them. Whoever follows the log reads all of it again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not certain whether all have ended; to call it again ends the rest.
    pub async fn after_restore(&self) -> Result<usize, StoreError> {
        let mut incarnation = random().map_err(StoreError::unavailable)?;
        let mut place = "0".to_owned();
        let (mut ended, mut left) = (0, 0);
        loop {
            let mut call = self.call(&RENEW);
            call.arg(&incarnation).arg(&place).arg(BATCH);
            let (next, count, senseless): (String, usize, usize) =
                self.run_carefully(&call).await?;
            (ended, left) = (ended + count, left + senseless);
            self.signal.notify();
            if next == "0" {
                break;
            }
            place = next;
            incarnation.clear();
        }
        match left {
            0 => Ok(ended),
            left => {
                Err(StoreError::corrupt(format!("{left} sessions cannot be read: remove them")))
            }
        }
    }

    /// A call of a script, to be given its own arguments.
    pub(crate) fn call(&self, script: &'static Script) -> ScriptInvocation<'static> {
        self.keys.begin(script)
    }

    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let (answer, _) = in_time(self.link.run(call)).await.map_err(store_error)?;
        read(answer)
    }

    /// Runs what ends or revokes something, and waits until that is where it cannot be lost.
    pub(crate) async fn run_carefully<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let Some((link, wanted)) = &self.careful else { return self.run(call).await };
        let work = async {
            let (answer, line) = link.run(call).await?;
            let confirmed = wanted.confirm(&line).await;
            if let Err(Lack::Unknown(error)) = &confirmed {
                link.give_up_after(error, &line).await;
            }
            Ok((answer, confirmed))
        };
        let (answer, confirmed) = in_time(work).await.map_err(store_error)?;
        confirmed.map_err(StoreError::unavailable)?;
        read(answer)
    }

    /// Removes batch after batch of what has been over for so long, until there is no more or the limit is reached.
    pub(crate) async fn purge(
        &self,
        script: &'static Script,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut removed = 0;
        while removed < limit {
            let batch = BATCH.min(limit - removed);
            let mut call = self.call(script);
            call.arg(millis(older_than)).arg(batch);
            let found: usize = self.run(&call).await?;
            removed += found;
            if found < batch {
                break;
            }
        }
        Ok(removed)
    }
}

/// As scripts take it.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// An answer as what it should be. The error has nothing of it, for it may hold claims of users.
fn read<T: FromRedisValue>(answer: Value) -> Result<T, StoreError> {
    redis::from_redis_value(answer)
        .map_err(|_| StoreError::corrupt("the server's answer cannot be read"))
}

/// 128 random bits as a text.
pub(crate) fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes))
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl fmt::Debug for RedisStore {
    /// Without the connections, which know a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("keys", &self.keys.root()).finish_non_exhaustive()
    }
}
