//! Several nodes of an application that share one database.

use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth::revocation::SyncOptions;
use tower_jwt_auth::{
    Issuer, JwtAuthLayer, RefreshSecrets, RevocationList, Sessions, SignIn, SigningKey, Verifier,
};
use tower_jwt_auth_core::{LogPage, Revocation, RevocationLog, SessionStore};
use tower_jwt_auth_redis::RedisStore;
use tower_jwt_auth_sqlx::{PostgresStore, SqliteStore};
use tower_jwt_auth_tests::harness::{Profile, REFRESH_SECRET, call_behind};
use tower_jwt_auth_tests::util::until;
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, servers};

use crate::sqlite::new_path;
use crate::support::{HOUR, read};

/// A database in which each node opens its own store.
enum Database {
    Sqlite(std::path::PathBuf),
    Postgres(String),
    Redis(String),
}

impl Database {
    /// Creates a database on each engine that is installed.
    fn all() -> Vec<Self> {
        let postgres = servers::postgres().map(|server| Self::Postgres(server.new_database()));
        let redis = servers::Redis::start(&[]);
        // The server runs until the test process ends.
        let redis = redis.map(|server| Self::Redis(Box::leak(Box::new(server)).url()));
        [Some(Self::Sqlite(new_path())), postgres, redis].into_iter().flatten().collect()
    }

    async fn open(&self) -> Arc<dyn SessionStore> {
        match self {
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path).await.unwrap()),
            Self::Postgres(url) => Arc::new(PostgresStore::connect(url).await.unwrap()),
            Self::Redis(url) => Arc::new(RedisStore::connect(url).await.unwrap()),
        }
    }
}

struct Node {
    sessions: Sessions<Profile>,
    auth: JwtAuthLayer<Profile>,
    store: Arc<dyn SessionStore>,
}

impl Node {
    async fn start(database: &Database, key: &SigningKey, access_lifetime: Duration) -> Self {
        let store = database.open().await;
        let issuer = Issuer::new(ISSUER, AUDIENCE, key.clone()).unwrap();
        let issuer = issuer.with_access_lifetime(access_lifetime).unwrap();
        let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
        let follow = SyncOptions::default().with_heartbeat(Duration::from_millis(200)).unwrap();
        let sessions = Sessions::builder(issuer, secrets, Arc::clone(&store))
            .claims::<Profile>()
            .sync_options(follow)
            .build()
            .unwrap();
        let auth = JwtAuthLayer::for_sessions(&sessions);
        sessions.revocations().ready().await;
        Self { sessions, auth, store }
    }

    async fn accepts(&self, token: &str) -> bool {
        call_behind(&self.auth, token).await.status == 200
    }
}

#[tokio::test]
async fn a_long_lived_token_stays_revoked_although_the_node_that_ended_it_has_shorter_lifetimes() {
    let key = SigningKey::generate().unwrap();
    for database in Database::all() {
        let old = Node::start(&database, &key, HOUR).await;
        let new = Node::start(&database, &key, Duration::from_secs(30)).await;
        let who = SignIn::new("alice").with_claims(Profile { name: "Alice".into() });
        let signed_in = old.sessions.start(who).await.unwrap();
        let long = signed_in.access().as_str();
        assert!(old.accepts(long).await && new.accepts(long).await);
        // The row still remembers the expiry of the long-lived token, not that of the short one.
        let refreshed = new.sessions.refresh(signed_in.refresh().as_str()).await.unwrap();
        assert!(new.sessions.end_presented(refreshed.refresh().as_str()).await.unwrap());
        assert!(!new.accepts(long).await, "the node that ended it refuses it at once");
        until("the other node refuses it", async || !old.accepts(long).await).await;

        let (log, _) = read(&new.store, None).await;
        let entry = log
            .iter()
            .find(|entry| entry.target().2 == signed_in.refresh().session_id().to_string());
        let exp = tower_jwt_auth_core::Timestamp::from(std::time::SystemTime::now()) + HOUR;
        let until = entry.map(Revocation::until).unwrap();
        assert!(
            exp.since(until) < Duration::from_secs(60),
            "the entry lasts as long as the long-lived token"
        );
        // Purging keeps the entries that another node needs, whatever lifetimes this node has.
        new.store.purge_log(Duration::from_secs(600), 1000).await.unwrap();
        new.store.purge_sessions(Duration::from_secs(600), 1000).await.unwrap();
        let late = Node::start(&database, &key, Duration::from_secs(30)).await;
        assert!(!late.accepts(long).await, "a node that starts later reads the entry");
    }
}

#[tokio::test]
async fn a_revocation_by_one_node_reaches_the_others_and_a_verifier() {
    let key = SigningKey::generate().unwrap();
    for database in Database::all() {
        let one = Node::start(&database, &key, HOUR).await;
        let other = Node::start(&database, &key, HOUR).await;
        let list = RevocationList::follow(database.open().await).unwrap();
        list.ready().await;
        let gateway =
            JwtAuthLayer::new(Verifier::new(one.sessions.issuer()).with_claims::<Profile>(), list);
        for _ in 0..3 {
            let who = SignIn::new("alice").with_claims(Profile { name: "Alice".into() });
            let tokens = one.sessions.start(who).await.unwrap();
            let token = tokens.access().as_str();
            assert!(other.accepts(token).await);
            assert_eq!(call_behind(&gateway, token).await.status, 200);
            assert_eq!(one.sessions.end_all("alice").await.unwrap(), 1);
            assert!(!one.accepts(token).await);
            until("the other node refuses it", async || !other.accepts(token).await).await;
            until("the gateway refuses it", async || {
                call_behind(&gateway, token).await.status == 401
            })
            .await;
        }
    }
}

/// A node that dies leaves its last heartbeat in the log.
#[tokio::test]
async fn heartbeats_of_nodes_that_are_gone_are_purged() {
    let key = SigningKey::generate().unwrap();
    for database in Database::all() {
        drop(Node::start(&database, &key, HOUR).await);
        let store = database.open().await;
        until("the heartbeat is purged", async || {
            while store.purge_log(Duration::ZERO, 100).await.unwrap() > 0 {}
            let page = store.read(None, 100).await.unwrap();
            matches!(page, LogPage::Entries { entries, .. } if entries.is_empty())
        })
        .await;
    }
}
