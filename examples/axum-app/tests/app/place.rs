use std::path::Path;

use tempfile::TempDir;
use tower_jwt_auth_tests::servers;

use crate::server::Server;

/// A directory for the sessions in SQLite and the keys of some servers.
pub(crate) struct Place {
    directory: TempDir,
    store: String,
    keys: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with_store(|directory| format!("sqlite:{}", directory.join("sessions.db").display()))
    }

    /// Where the keys are here, and the sessions somewhere else.
    pub(crate) fn on(store: &str) -> Self {
        Self::with_store(|_| store.to_owned())
    }

    /// One for each kind of store that there is a server for; of Redis in the database of this number, in which
    /// nobody else's sessions are.
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

    /// What keeps the sessions.
    pub(crate) fn engine(&self) -> &str {
        self.store.split(':').next().unwrap()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The path of this file in it.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory().display())
    }

    /// The path of the file of keys.
    pub(crate) fn keys(&self) -> &str {
        &self.keys
    }

    pub(crate) fn variables(&self) -> [(&str, &str); 2] {
        [("STORE", &self.store), ("KEYS", &self.keys)]
    }

    pub(crate) fn start(&self) -> Server {
        Server::start(&self.variables())
    }
}
