use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tower_jwt_auth::{MemoryStore, SessionStore};
use tower_jwt_auth_redis::RedisStore;
use tower_jwt_auth_sqlx::{PostgresStore, SqliteStore};
use tower_jwt_auth_tests::servers::{Postgres, Proxy, Redis};

use crate::BoxError;

/// A store that is measured.
pub(crate) type SharedStore = Arc<dyn SessionStore>;

/// The engines, with the settings that make a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineKind {
    Memory,
    Sqlite,
    Postgres,
    RedisEverySecond,
    RedisAlways,
}

impl EngineKind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Memory, Self::Sqlite, Self::Postgres, Self::RedisEverySecond, Self::RedisAlways];

    /// How the report calls it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::RedisEverySecond => "Redis, everysec",
            Self::RedisAlways => "Redis, always",
        }
    }

    /// How the command line calls it.
    pub(crate) fn option_name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::RedisEverySecond | Self::RedisAlways => "redis",
        }
    }
}

/// An engine that runs for us alone.
#[derive(Debug)]
pub(crate) struct Engine {
    kind: EngineKind,
    backend: Backend,
}

#[derive(Debug)]
pub(crate) enum Backend {
    Memory,
    Sqlite { directory: TempDir },
    Postgres { server: Postgres, url: String },
    Redis { server: Redis },
}

impl Engine {
    /// Starts it; none where it is not installed.
    pub(crate) fn start(kind: EngineKind) -> Result<Option<Self>, BoxError> {
        let redis = |fsync| {
            let server = Redis::start(&["--appendonly", "yes", "--appendfsync", fsync])?;
            Some(Backend::Redis { server })
        };
        let backend = match kind {
            EngineKind::Memory => Some(Backend::Memory),
            EngineKind::Sqlite => Some(Backend::Sqlite { directory: tempfile::tempdir()? }),
            EngineKind::Postgres => Postgres::start().map(|server| {
                let url = server.new_database();
                Backend::Postgres { server, url }
            }),
            EngineKind::RedisEverySecond => redis("everysec"),
            EngineKind::RedisAlways => redis("always"),
        };
        Ok(backend.map(|backend| Self { kind, backend }))
    }

    pub(crate) fn kind(&self) -> EngineKind {
        self.kind
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The store on it; an empty one each time in memory, and otherwise the same.
    pub(crate) async fn open(&self) -> Result<SharedStore, BoxError> {
        Ok(match &self.backend {
            Backend::Memory => Arc::new(MemoryStore::new()),
            Backend::Sqlite { .. } => Arc::new(SqliteStore::open(self.sqlite_file()).await?),
            Backend::Postgres { url, .. } => Arc::new(PostgresStore::connect(url).await?),
            Backend::Redis { server } => Arc::new(RedisStore::connect(&server.url()).await?),
        })
    }

    /// The store, by way of a proxy that counts; none where there is no network in between.
    pub(crate) async fn open_through_proxy(
        &self,
    ) -> Result<Option<(SharedStore, Proxy)>, BoxError> {
        let behind = |server: SocketAddr, url: &str| {
            let proxy = Proxy::start(server);
            let url = url.replace(&server.to_string(), &proxy.address().to_string());
            (proxy, url)
        };
        Ok(match &self.backend {
            Backend::Memory | Backend::Sqlite { .. } => None,
            Backend::Postgres { server, url } => {
                let (proxy, url) = behind(server.address(), url);
                Some((Arc::new(PostgresStore::connect(&url).await?), proxy))
            }
            Backend::Redis { server } => {
                let (proxy, url) = behind(server.address(), &server.url());
                Some((Arc::new(RedisStore::connect(&url).await?), proxy))
            }
        })
    }

    /// The file of SQLite; nothing is there for the others.
    pub(crate) fn sqlite_file(&self) -> PathBuf {
        match &self.backend {
            Backend::Sqlite { directory } => directory.path().join("sessions.db"),
            _ => PathBuf::new(),
        }
    }

    /// How many bytes the log takes, with all that else is there; none in memory, which is measured apart.
    pub(crate) async fn log_size(&self) -> Result<Option<u64>, BoxError> {
        Ok(match &self.backend {
            Backend::Memory => None,
            Backend::Sqlite { .. } => {
                let file = SqliteConnectOptions::new().filename(self.sqlite_file());
                let mut connection = file.connect().await?;
                sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
                connection.close().await?;
                Some(tokio::fs::metadata(self.sqlite_file()).await?.len())
            }
            Backend::Postgres { server, url } => {
                let size = "SELECT pg_total_relation_size('tower_jwt_auth_log')";
                Some(server.psql(url, size).trim().parse()?)
            }
            Backend::Redis { server } => Some(info(server, "memory", "used_memory")?.parse()?),
        })
    }

    /// Its name and version.
    pub(crate) async fn version(&self) -> Result<Option<String>, BoxError> {
        Ok(match &self.backend {
            Backend::Memory => None,
            Backend::Sqlite { .. } => {
                let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await?;
                let version = sqlx::query_scalar("SELECT sqlite_version()");
                let version: String = version.fetch_one(&mut connection).await?;
                Some(format!("SQLite {version}"))
            }
            Backend::Postgres { server, url } => {
                let version = server.psql(url, "SHOW server_version");
                let version = version.split_whitespace().next().unwrap_or_default().to_owned();
                Some(format!("PostgreSQL {version}"))
            }
            Backend::Redis { server } => Some(match info(server, "server", "valkey_version") {
                Ok(version) => format!("Valkey {version}"),
                Err(_) => format!("Redis {}", info(server, "server", "redis_version")?),
            }),
        })
    }
}

/// What a Redis server says of itself.
fn info(server: &Redis, section: &str, name: &str) -> Result<String, BoxError> {
    let said = server.cli(&["INFO", section]);
    let value = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = value.ok_or_else(|| format!("the Redis server does not tell its {name}"))?;
    Ok(value.trim().to_owned())
}
