use tokio::sync::watch;

/// Wakes the tasks that wait for a change, without a lost wake-up.
///
/// A store calls [`notify`](Self::notify) when its log may have grown. A task that waits for a change reads
/// [`version`](Self::version) first, then the log, then calls [`wait`](Self::wait) with that version: a change
/// between the two calls ends the wait at once. [`RevocationLog::changed`](crate::RevocationLog::changed) is
/// implemented this way.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::ChangeSignal;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let signal = ChangeSignal::new();
/// let version = signal.version();
/// signal.notify();
/// signal.wait(version).await; // returns at once
/// # }
/// ```
#[derive(Debug)]
pub struct ChangeSignal(watch::Sender<u64>);

impl ChangeSignal {
    /// Creates a signal of version 0.
    pub fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Raises the version by one and wakes all tasks that wait.
    pub fn notify(&self) {
        self.0.send_modify(|version| *version += 1);
    }

    /// Returns the number of calls of [`notify`](Self::notify) so far.
    pub fn version(&self) -> u64 {
        *self.0.borrow()
    }

    /// Waits until the version is greater than `version`.
    ///
    /// The future can be dropped at any point (it is cancel safe).
    pub async fn wait(&self, version: u64) {
        // The sender lives as long as this signal, so the receiver cannot fail.
        let _ = self.0.subscribe().wait_for(|current| *current > version).await;
    }
}

impl Default for ChangeSignal {
    fn default() -> Self {
        Self::new()
    }
}
