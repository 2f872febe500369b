use std::path::Path;

use tempfile::TempDir;
use tower_jwt_auth_tests::servers;

use crate::server::Server;

/// A directory with the keys of some servers, and with their sessions if these are in SQLite.
pub(crate) struct Workspace {
    directory: TempDir,
    store: String,
    keys: String,
}

impl Workspace {
    /// Creates one with the sessions in SQLite.
    pub(crate) fn new() -> Self {
        Self::with_store(|directory| format!("sqlite:{}", directory.join("sessions.db").display()))
    }

    /// Creates one with the sessions in this store.
    pub(crate) fn on(store: &str) -> Self {
        Self::with_store(|_| store.to_owned())
    }

    /// Creates one for each kind of store whose server is installed. For Redis it is the database of this number, which
    /// no other test uses.
    pub(crate) fn each(number: u8) -> Vec<Self> {
        let postgres = servers::postgres().map(servers::Postgres::new_database);
        let redis = servers::redis().map(|redis| format!("{}{number}", redis.url()));
        let servers = postgres.into_iter().chain(redis);
        std::iter::once(Self::new()).chain(servers.map(|url| Self::on(&url))).collect()
    }

    fn with_store(store: impl FnOnce(&Path) -> String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys.json").display().to_string();
        let store = store(directory.path());
        Self { directory, store, keys }
    }

    /// Returns the scheme of the store.
    pub(crate) fn engine(&self) -> &str {
        self.store.split(':').next().unwrap()
    }

    /// Returns its path.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the path of this file in it.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory().display())
    }

    /// Returns the path of the file of keys.
    pub(crate) fn keys(&self) -> &str {
        &self.keys
    }

    /// Returns the variables for its servers.
    pub(crate) fn variables(&self) -> [(&str, &str); 2] {
        [("STORE", &self.store), ("KEYS", &self.keys)]
    }

    /// Starts a server.
    pub(crate) fn start(&self) -> Server {
        Server::start(&self.variables())
    }
}
