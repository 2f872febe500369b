use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tower_jwt_auth::MemoryStore;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth_redis::RedisStore;
use tower_jwt_auth_sqlx::{PostgresStore, SqliteStore};
use tower_jwt_auth_tests::servers::{Postgres, Proxy, Redis};

use crate::BoxError;

/// A store of any kind.
pub(crate) type SharedStore = Arc<dyn SessionStore>;

/// The engines, with the settings that affect their speed.
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

    /// Returns the name in the report.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::RedisEverySecond => "Redis, everysec",
            Self::RedisAlways => "Redis, always",
        }
    }

    /// Returns the value of `--only`, which may stand for several kinds.
    pub(crate) fn option_value(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::RedisEverySecond | Self::RedisAlways => "redis",
        }
    }
}

/// A running engine that nothing else uses.
#[derive(Debug)]
pub(crate) struct Engine {
    kind: EngineKind,
    backend: Backend,
}

#[derive(Debug)]
pub(crate) enum Backend {
    Memory,
    /// The file of the store, in a directory that is deleted at the end.
    Sqlite {
        directory: TempDir,
        file: PathBuf,
    },
    Postgres {
        server: Postgres,
        url: String,
    },
    Redis {
        server: Redis,
    },
}

impl Engine {
    /// Starts the engine. Returns `None` if it is not installed.
    pub(crate) fn start(kind: EngineKind) -> Result<Option<Self>, BoxError> {
        let redis = |fsync| {
            let server = Redis::start(&["--appendonly", "yes", "--appendfsync", fsync])?;
            Some(Backend::Redis { server })
        };
        let backend = match kind {
            EngineKind::Memory => Some(Backend::Memory),
            EngineKind::Sqlite => {
                let directory = tempfile::tempdir()?;
                let file = directory.path().join("sessions.db");
                Some(Backend::Sqlite { directory, file })
            }
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

    /// Opens the store: in memory a new one each time, otherwise the same one.
    pub(crate) async fn open(&self) -> Result<SharedStore, BoxError> {
        Ok(match &self.backend {
            Backend::Memory => Arc::new(MemoryStore::new()),
            Backend::Sqlite { file, .. } => Arc::new(SqliteStore::open(file).await?),
            Backend::Postgres { url, .. } => Arc::new(PostgresStore::connect(url).await?),
            Backend::Redis { server } => Arc::new(RedisStore::connect(&server.url()).await?),
        })
    }

    /// Opens the store through a proxy that counts round trips. Returns `None` without a network connection.
    pub(crate) async fn open_through_proxy(
        &self,
    ) -> Result<Option<(SharedStore, Proxy)>, BoxError> {
        let proxy_to = |server: SocketAddr, url: &str| {
            let proxy = Proxy::start(server);
            let url = url.replace(&server.to_string(), &proxy.address().to_string());
            (proxy, url)
        };
        Ok(match &self.backend {
            Backend::Memory | Backend::Sqlite { .. } => None,
            Backend::Postgres { server, url } => {
                let (proxy, url) = proxy_to(server.address(), url);
                Some((Arc::new(PostgresStore::connect(&url).await?), proxy))
            }
            Backend::Redis { server } => {
                let (proxy, url) = proxy_to(server.address(), &server.url());
                Some((Arc::new(RedisStore::connect(&url).await?), proxy))
            }
        })
    }

    /// Returns the bytes that the log takes, in SQLite and Redis together with all other data. Returns `None` for
    /// memory: [`memory_use`](crate::memory_use) measures it.
    pub(crate) async fn log_size(&self) -> Result<Option<u64>, BoxError> {
        Ok(match &self.backend {
            Backend::Memory => None,
            Backend::Sqlite { file, .. } => {
                let mut connection = connect_sqlite(file).await?;
                checkpoint(&mut connection).await?;
                connection.close().await?;
                Some(tokio::fs::metadata(file).await?.len())
            }
            Backend::Postgres { server, url } => {
                let size = "SELECT pg_total_relation_size('tower_jwt_auth_log')";
                Some(server.psql(url, size).trim().parse()?)
            }
            Backend::Redis { server } => Some(info(server, "memory", "used_memory")?.parse()?),
        })
    }

    /// Returns the engine's name and version. Returns `None` for memory.
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

/// Connects to the file of a store.
pub(crate) async fn connect_sqlite(file: &Path) -> Result<SqliteConnection, BoxError> {
    Ok(SqliteConnectOptions::new().filename(file).disable_statement_logging().connect().await?)
}

/// Moves the write-ahead log of SQLite into the file.
pub(crate) async fn checkpoint(connection: &mut SqliteConnection) -> Result<(), BoxError> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await?;
    Ok(())
}

/// Returns a field of `INFO` from a Redis server.
fn info(server: &Redis, section: &str, field: &str) -> Result<String, BoxError> {
    let info = server.cli(&["INFO", section]);
    let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let value = value.ok_or_else(|| format!("INFO {section} of Redis has no field {field}"))?;
    Ok(value.trim().to_owned())
}
