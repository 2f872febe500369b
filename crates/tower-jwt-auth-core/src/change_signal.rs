use tokio::sync::watch;

/// Wakes those who wait for something to happen, without losing what happened before they began to wait.
///
/// A store rings it when its log may have grown, and puts the count that [`version`](Self::version) gave before a
/// reading into the cursor; [`RevocationLog::changed`](crate::RevocationLog::changed) then waits for more than
/// that.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::ChangeSignal;
///
/// # async fn example() {
/// let bell = ChangeSignal::new();
/// let before = bell.version();
/// bell.notify();
/// bell.wait(before).await; // returns at once
/// # }
/// ```
#[derive(Debug)]
pub struct ChangeSignal(watch::Sender<u64>);

impl ChangeSignal {
    /// A bell that has not been rung.
    pub fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Wakes all who wait.
    pub fn notify(&self) {
        self.0.send_modify(|rung| *rung += 1);
    }

    /// How often it has been rung.
    pub fn version(&self) -> u64 {
        *self.0.borrow()
    }

    /// Waits until it has been rung more often than this. It is safe to drop at any moment.
    pub async fn wait(&self, rung: u64) {
        // The sender lives as long as this bell, so there is nothing to fail.
        let _ = self.0.subscribe().wait_for(|now| *now > rung).await;
    }
}

impl Default for ChangeSignal {
    fn default() -> Self {
        Self::new()
    }
}
