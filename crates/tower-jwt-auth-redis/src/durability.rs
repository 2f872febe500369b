//! Waiting until a write is on replicas or on disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::sync::Mutex;

use crate::timeouts::MAX_WAIT_TIMEOUT;

/// Where a write must be before it is acknowledged, besides the memory of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Durability {
    /// The number of replicas.
    pub(crate) replicas: usize,
    /// Whether the write must be on disk, on the server and on these replicas.
    pub(crate) fsync: bool,
    /// The maximum time to wait.
    pub(crate) timeout: Duration,
}

impl Default for Durability {
    fn default() -> Self {
        Self { replicas: 0, fsync: false, timeout: MAX_WAIT_TIMEOUT }
    }
}

impl Durability {
    /// Returns whether a write has to be waited for.
    pub(crate) fn waits(&self) -> bool {
        self.replicas > 0 || self.fsync
    }

    /// Waits for all earlier writes of this connection. The server knows which writes these are only on the same
    /// connection, and another connection may lead to another server.
    pub(crate) async fn wait(
        &self,
        mut connection: MultiplexedConnection,
    ) -> Result<(), NotDurable> {
        let millis = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        let (is_on_disk, confirmed): (bool, usize) = if self.fsync {
            let mut wait = redis::cmd("WAITAOF");
            wait.arg(1).arg(self.replicas).arg(millis);
            wait.query_async(&mut connection).await?
        } else {
            let mut wait = redis::cmd("WAIT");
            wait.arg(self.replicas).arg(millis);
            (true, wait.query_async(&mut connection).await?)
        };
        if confirmed < self.replicas {
            return Err(NotDurable::Replicas { confirmed, required: self.replicas });
        }
        if is_on_disk { Ok(()) } else { Err(NotDurable::Disk) }
    }
}

/// The reason for which a write is not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NotDurable {
    #[error("{confirmed} of {required} replicas have acknowledged the write")]
    Replicas { confirmed: usize, required: usize },
    #[error("the write is not on the disk of the server yet")]
    Disk,
    #[error("the server did not report whether the write is durable")]
    Unknown(#[from] RedisError),
}

/// Batches the `WAIT` calls of one connection.
///
/// `WAIT` blocks its connection. One call for each write would therefore stall all later writes while a replica is
/// down.
#[derive(Default)]
pub(crate) struct WaitBatcher {
    /// The number of requests so far.
    requests: AtomicU64,
    last_round: Mutex<Round>,
}

/// One `WAIT` for several requests.
struct Round {
    /// The number of requests when the round began. It covers all of these.
    covered: u64,
    result: Result<(), NotDurable>,
}

impl Default for Round {
    fn default() -> Self {
        Self { covered: 0, result: Ok(()) }
    }
}

impl WaitBatcher {
    /// Returns the result of a round that began after this call. Runs `wait` unless another call has begun such a
    /// round.
    pub(crate) async fn run(
        &self,
        wait: impl Future<Output = Result<(), NotDurable>>,
    ) -> Result<(), NotDurable> {
        let request = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let mut last_round = self.last_round.lock().await;
        if last_round.covered < request {
            let covered = self.requests.load(Ordering::SeqCst);
            let result = wait.await;
            *last_round = Round { covered, result };
        }
        last_round.result.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn calls_during_a_round_share_the_next_one() {
        let batcher = Arc::new(WaitBatcher::default());
        let rounds = Arc::new(AtomicU64::new(0));
        let mut calls = Vec::new();
        for _ in 0..10 {
            let (batcher, rounds) = (Arc::clone(&batcher), Arc::clone(&rounds));
            calls.push(tokio::spawn(async move {
                let wait = async {
                    let round = rounds.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    if round == 0 { Ok(()) } else { Err(NotDurable::Disk) }
                };
                batcher.run(wait).await
            }));
        }
        let mut durable = 0;
        for call in calls {
            durable += usize::from(call.await.unwrap().is_ok());
        }
        assert_eq!(rounds.load(Ordering::SeqCst), 2);
        assert_eq!(durable, 1, "the first round covers only the call that began it");
    }

    #[tokio::test]
    async fn a_dropped_round_covers_no_call() {
        let batcher = WaitBatcher::default();
        let pending = batcher.run(std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(10), pending).await.is_err());
        assert!(batcher.run(async { Err(NotDurable::Disk) }).await.is_err());
    }
}
