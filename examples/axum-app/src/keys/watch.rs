//! Changes of the file while the application serves.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::sleep;
use tower_jwt_auth::Sessions;

use super::Keys;
use crate::config::StartError;
use crate::users::Profile;

/// The interval at which the file is checked for a change.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Watches the file of keys from the moment before it is read, so that no change is missed while the application
/// connects to its store.
pub(crate) struct Watcher {
    path: PathBuf,
    seen: Version,
    hang_up: HangUp,
}

impl Watcher {
    /// Creates one for the file as it is now. Read the file afterwards. SIGHUP no longer ends the process.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: Version::of(path), hang_up: HangUp::new() }
    }

    /// Replaces the keys of the sessions whenever the file changes, and at SIGHUP. A file that cannot be used is
    /// logged, and the keys stay as they are.
    pub(crate) async fn watch(mut self, sessions: Sessions<Profile>) {
        loop {
            let is_requested = tokio::select! {
                () = self.hang_up.received() => true,
                () = sleep(POLL_INTERVAL) => false,
            };
            match self.check(is_requested) {
                None => {}
                Some(Ok(keys)) => {
                    tracing::info!(path = %self.path.display(), "read new keys");
                    sessions.issuer().key_ring().replace(keys.ring);
                    sessions.refresh_secrets().replace(keys.refresh_secrets);
                }
                Some(Err(error)) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "the keys stay as they were");
                }
            }
        }
    }

    /// Reads the file if it has changed or if that is requested.
    fn check(&mut self, is_requested: bool) -> Option<Result<Keys, StartError>> {
        // Taken before the file is read: a change in between is a change at the next turn.
        let version = Version::of(&self.path);
        if version == self.seen && !is_requested {
            return None;
        }
        self.seen = version;
        Some(Keys::load(&self.path))
    }
}

/// The properties by which a change is noticed. A replaced file has another time or length.
#[derive(PartialEq, Eq)]
struct Version(Option<(SystemTime, u64)>);

impl Version {
    fn of(path: &Path) -> Self {
        let about = fs::metadata(path).ok();
        Self(about.and_then(|about| Some((about.modified().ok()?, about.len()))))
    }
}

#[cfg(unix)]
struct HangUp(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl HangUp {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // Without the signal, the changes are noticed by polling.
        Self(signal(SignalKind::hangup()).ok())
    }

    async fn received(&mut self) {
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

#[cfg(not(unix))]
struct HangUp;

#[cfg(not(unix))]
impl HangUp {
    fn new() -> Self {
        Self
    }

    async fn received(&mut self) {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_between_the_start_and_the_first_check_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["keys.json", "other.json"].map(|name| directory.path().join(name));
        let [path, other] = &paths;
        let (first, mut watcher) = Keys::watched(path).unwrap();
        assert!(watcher.check(false).is_none(), "the file that was created is not a change");
        assert!(watcher.check(true).unwrap().is_ok());

        let (second, _) = Keys::watched(other).unwrap();
        // A file whose time and length differ, whatever the resolution of the clock is.
        let text = format!("{}\n", fs::read_to_string(other).unwrap());
        super::super::file::replace(path, &text).unwrap();
        let id = |keys: &Keys| keys.ring.signing_key().key_id().to_owned();
        let read = watcher.check(false).unwrap().unwrap();
        assert_eq!(id(&read), id(&second));
        assert_ne!(id(&read), id(&first));
        assert!(watcher.check(false).is_none());
    }
}
