//! The keys: generated for one process, or stored in a file for several processes and restarts.

mod file;
mod format;
mod rotate;
mod watch;

use std::error::Error;
use std::path::Path;

use tower_jwt_auth::keys::KeyRing;
use tower_jwt_auth::{ConfigError, RefreshSecrets, SigningKey};

use self::format::KeyFile;
pub(crate) use self::rotate::rotate;
pub(crate) use self::watch::Watcher;
use crate::config::StartError;

/// The keys that sign access tokens and refresh tokens.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) ring: KeyRing,
    pub(crate) refresh_secrets: RefreshSecrets,
}

impl Keys {
    /// Generates keys that last as long as the process.
    pub(crate) fn generate() -> Result<Self, StartError> {
        let generate = || {
            Ok(Self {
                ring: SigningKey::generate()?.into(),
                refresh_secrets: RefreshSecrets::generate()?,
            })
        };
        generate().map_err(|source: ConfigError| StartError::new("cannot generate keys", source))
    }

    /// Loads the keys from this file, which it creates if it does not exist, and returns a watcher for changes since.
    pub(crate) fn watched(path: &Path) -> Result<(Self, Watcher), StartError> {
        let failed = |doing, source| failed(path, doing, source);
        if file::read(path).map_err(|error| failed("read", error.into()))?.is_none() {
            let text = KeyFile::generate().and_then(|file| file.to_text());
            let text = text.map_err(|error| failed("create", error))?;
            if file::create(path, &text).map_err(|error| failed("create", error.into()))? {
                tracing::info!(path = %path.display(), "created new keys");
            }
        }
        let watcher = Watcher::new(path);
        // Read in either case: another process may have created it first.
        Ok((Self::load(path)?, watcher))
    }

    /// Loads the keys from this file.
    fn load(path: &Path) -> Result<Self, StartError> {
        load(path)?.keys().map_err(|error| failed(path, "use", error))
    }
}

fn load(path: &Path) -> Result<KeyFile, StartError> {
    let text = file::read(path).map_err(|error| failed(path, "read", error.into()))?;
    let text = text.ok_or_else(|| failed(path, "read", "it has been removed".into()))?;
    KeyFile::parse(&text).map_err(|error| failed(path, "use", error))
}

fn failed(path: &Path, doing: &str, source: Box<dyn Error>) -> StartError {
    StartError::new(format!("cannot {doing} KEYS={path:?}"), source)
}
