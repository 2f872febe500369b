//! SQLite.

mod files;
mod log;
mod secrets;

use std::path::PathBuf;
use std::sync::OnceLock;

use tower_jwt_auth_core::TokenId;
use tower_jwt_auth_sqlx::SqliteStore;

/// Returns a directory for this process.
fn directory() -> &'static PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let name = format!("sqlite-{}", std::process::id());
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        directory
    })
}

/// Returns a path without a file.
pub(crate) fn new_path() -> PathBuf {
    directory().join(format!("{}.db", TokenId::random().unwrap()))
}

async fn new_store() -> SqliteStore {
    SqliteStore::open(new_path()).await.unwrap()
}

mod conformance {
    tower_jwt_auth_core::store_conformance!(super::new_store());
}
