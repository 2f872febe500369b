//! Redis.

mod connecting;
mod durability;
mod log;
mod outages;
mod restoring;
mod sessions;

use std::sync::{Arc, OnceLock};

use tower_jwt_auth_core::{MemoryStore, SessionLimit, SessionStore, TokenId};
use tower_jwt_auth_redis::{RedisOptions, RedisStore};
use tower_jwt_auth_tests::servers::{self, Redis};
use tower_jwt_auth_tests::util::becomes_true;

const ANY: SessionLimit = SessionLimit::none();

/// A store on a server, and the prefix of all its keys.
struct Workspace {
    store: RedisStore,
    root: String,
}

impl Workspace {
    /// Creates a store on the shared server with a prefix that no other test uses. Returns `None` if Redis is not
    /// installed.
    async fn new() -> Option<(Self, &'static Redis)> {
        let server = servers::redis()?;
        Some((Self::at(&server.url()).await, server))
    }

    async fn at(url: &str) -> Self {
        Self::with(url, RedisOptions::default()).await
    }

    async fn with(url: &str, options: RedisOptions) -> Self {
        let prefix = TokenId::random().unwrap().to_string();
        let options = options.with_prefix(&prefix).unwrap();
        let store = RedisStore::connect_with(url, options).await.unwrap();
        Self { store, root: format!("{{{prefix}}}:") }
    }

    /// Connects another node to the same data.
    async fn another_node(&self, url: &str) -> RedisStore {
        let prefix = self.root.trim_matches(['{', '}', ':']);
        let options = RedisOptions::default().with_prefix(prefix).unwrap();
        RedisStore::connect_with(url, options).await.unwrap()
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.root)
    }

    /// Returns the names of all keys, without the prefix.
    fn keys(&self, server: &Redis) -> Vec<String> {
        let all = server.cli(&["keys", &format!("{}*", self.root)]);
        let names = all.lines().filter_map(|key| key.strip_prefix(&self.root));
        let mut names: Vec<_> = names.map(str::to_owned).collect();
        names.sort();
        names
    }
}

/// Starts a server that syncs each write to the disk before it answers.
fn durable_server() -> Option<Redis> {
    Redis::start(&["--appendonly", "yes", "--appendfsync", "always"])
}

/// Waits until a section of the server's `INFO` contains an expected line.
fn wait_for_info(server: &Redis, section: &str, is_expected: impl Fn(&str) -> bool) {
    let info = || server.cli(&["info", section]);
    assert!(becomes_true(|| info().lines().any(|line| is_expected(line.trim_end()))), "{}", info());
}

fn follow(replica: &Redis, primary: &Redis) {
    // By default the primary waits for more replicas before it synchronizes.
    primary.cli(&["config", "set", "repl-diskless-sync-delay", "0"]);
    replica.cli(&["replicaof", "127.0.0.1", &primary.port().to_string()]);
    wait_for_info(replica, "replication", |line| line == "master_link_status:up");
    // The primary sends nothing before the first acknowledgement of the replica.
    primary.cli(&["set", "something", "to send"]);
    let port = format!(",port={},state=online,", replica.port());
    let is_there = |line: &str| line.contains(&port) && !line.contains(",offset=0,");
    wait_for_info(primary, "replication", is_there);
    primary.cli(&["del", "something"]);
}

fn promote(replica: &Redis) {
    replica.cli(&["replicaof", "no", "one"]);
    wait_for_info(replica, "replication", |line| line == "role:master");
}

mod conformance {
    use super::*;

    tower_jwt_auth_core::store_conformance!(async {
        match Workspace::new().await {
            Some((workspace, _)) => Arc::new(workspace.store) as Arc<dyn SessionStore>,
            None => Arc::new(MemoryStore::new()),
        }
    });
}

/// The suite on a node of a cluster, which rejects scripts that use more than one slot.
mod conformance_in_a_cluster {
    use super::*;

    /// Returns a cluster of one node that has all slots.
    fn server() -> Option<&'static Redis> {
        static SERVER: OnceLock<Option<Redis>> = OnceLock::new();
        SERVER.get_or_init(start).as_ref()
    }

    fn start() -> Option<Redis> {
        let server = Redis::start(&["--cluster-enabled", "yes"])?;
        server.cli(&["cluster", "addslotsrange", "0", "16383"]);
        let is_up = || server.cli(&["cluster", "info"]).contains("cluster_state:ok");
        assert!(becomes_true(is_up), "the cluster does not start");
        Some(server)
    }

    async fn store() -> Arc<dyn SessionStore> {
        match server() {
            Some(server) => Arc::new(Workspace::at(&server.url()).await.store),
            None => Arc::new(MemoryStore::new()),
        }
    }

    tower_jwt_auth_core::store_conformance!(store());
}
