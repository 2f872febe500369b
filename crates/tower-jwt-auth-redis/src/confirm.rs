//! Waiting until an ending is where it cannot be lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::RedisError;
use tokio::sync::Mutex;

use crate::link::Line;

/// The longest time to wait. Before a call is confirmed it may have waited for three rounds: behind one that
/// holds up its script, behind one that began too early, and for its own.
pub(crate) const LONGEST: Duration = Duration::from_millis(1400);

/// Who has to have an ending before it is acknowledged, besides the memory of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) replicas: usize,
    pub(crate) fsync: bool,
    pub(crate) within: Duration,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { replicas: 0, fsync: false, within: LONGEST }
    }
}

/// Why an ending is not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Lack {
    #[error("{found} of {wanted} replicas have acknowledged it")]
    Replicas { found: usize, wanted: usize },
    #[error("it is not on the disk of the server yet")]
    Disk,
    #[error("it is not known who has it")]
    Unknown(#[source] RedisError),
}

/// Lets those who wait on one connection wait together. Whoever waits for replicas holds up all that comes after
/// on that connection: one round for each ending would let few of them even begin while a replica is away.
#[derive(Default)]
pub(crate) struct Gate {
    /// How many have asked.
    asked: AtomicU64,
    last: Mutex<Round>,
}

/// A round of waiting, for all that had asked before it began.
struct Round {
    upto: u64,
    result: Result<(), Lack>,
}

impl Default for Round {
    fn default() -> Self {
        Self { upto: 0, result: Ok(()) }
    }
}

impl Wanted {
    /// Whether anyone but the server has to have it.
    pub(crate) fn is_more(&self) -> bool {
        self.replicas > 0 || self.fsync
    }

    /// Waits until all that was written on this connection is where it is wanted: only there does the server know
    /// what that was, and another connection may lead to another server.
    pub(crate) async fn confirm(&self, line: &Arc<Line>) -> Result<(), Lack> {
        let ticket = line.gate.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut last = line.gate.last.lock().await;
        if last.upto < ticket {
            let upto = line.gate.asked.load(Ordering::SeqCst);
            let result = self.wait(line).await;
            *last = Round { upto, result };
        }
        last.result.clone()
    }

    async fn wait(&self, line: &Line) -> Result<(), Lack> {
        let millis = u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX);
        let mut connection = line.connection.clone();
        let (on_disk, found): (bool, usize) = if self.fsync {
            let mut wait = redis::cmd("WAITAOF");
            wait.arg(1).arg(self.replicas).arg(millis);
            wait.query_async(&mut connection).await.map_err(Lack::Unknown)?
        } else {
            let mut wait = redis::cmd("WAIT");
            wait.arg(self.replicas).arg(millis);
            let found = wait.query_async(&mut connection).await.map_err(Lack::Unknown)?;
            (true, found)
        };
        if found < self.replicas {
            return Err(Lack::Replicas { found, wanted: self.replicas });
        }
        if on_disk { Ok(()) } else { Err(Lack::Disk) }
    }
}
