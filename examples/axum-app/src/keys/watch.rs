//! Changes of the file while the application serves.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::sleep;
use tower_jwt_auth::Sessions;

use super::Keys;
use crate::users::Profile;

/// The interval at which the file is checked for a change.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Replaces the keys of the sessions whenever the file changes, and at SIGHUP. A file that cannot be used is logged, and
/// the keys stay as they are.
pub(crate) async fn watch(path: PathBuf, sessions: Sessions<Profile>) {
    let mut hang_up = HangUp::new();
    let mut seen = Version::of(&path);
    loop {
        let is_requested = tokio::select! {
            () = hang_up.received() => true,
            () = sleep(POLL_INTERVAL) => false,
        };
        // Read before the file: a change in between is a change at the next turn.
        let version = Version::of(&path);
        if version == seen && !is_requested {
            continue;
        }
        seen = version;
        match Keys::load(&path) {
            Ok(keys) => {
                tracing::info!(path = %path.display(), "read new keys");
                sessions.issuer().key_ring().replace(keys.ring);
                sessions.refresh_secrets().replace(keys.refresh_secrets);
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the keys stay as they were");
            }
        }
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
