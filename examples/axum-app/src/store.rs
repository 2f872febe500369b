//! The store of the sessions: parses `STORE` and connects to it.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tower_jwt_auth::MemoryStore;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth_redis::RedisStore;
use tower_jwt_auth_sqlx::{PostgresStore, SqliteStore};

use crate::config::StartError;

/// The time to connect to a store and to prepare it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(9);

/// The valid values of `STORE`.
const ALLOWED: &str = "give memory, sqlite:PATH, postgres://USER@HOST/DATABASE or redis://HOST";

/// The value of `STORE`. Its `Display` and `Debug` show no password.
pub(crate) enum StoreUrl {
    Memory,
    Sqlite(PathBuf),
    Postgres(String),
    Redis(String),
}

impl StoreUrl {
    /// Parses the value. The error does not repeat it: a mistyped one may contain a password as well.
    pub(crate) fn parse(text: &str) -> Result<Self, StartError> {
        let refuse = |hint| Err(StartError::new("STORE cannot be used", hint));
        let Some((scheme, rest)) = text.split_once(':') else {
            return if text == "memory" { Ok(Self::Memory) } else { refuse(ALLOWED) };
        };
        match scheme {
            // Two slashes are optional: the URLs of SQLx have them.
            "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => refuse("give the path of a file, as in sqlite:sessions.db"),
                ":memory:" => {
                    refuse("give memory, or the path of a file, as in sqlite:sessions.db")
                }
                path => Ok(Self::Sqlite(path.into())),
            },
            "postgres" | "postgresql" if rest.starts_with("//") => Ok(Self::Postgres(text.into())),
            "rediss" if cfg!(not(feature = "tls")) => refuse(
                "this binary was built without TLS: turn on its feature tls, or give redis://",
            ),
            "redis" | "rediss" if rest.starts_with("//") => Ok(Self::Redis(text.into())),
            _ => refuse(ALLOWED),
        }
    }

    /// Returns whether the sessions outlive the process.
    pub(crate) fn is_durable(&self) -> bool {
        !matches!(self, Self::Memory)
    }

    /// Connects to the store.
    pub(crate) async fn connect(&self) -> Result<Arc<dyn SessionStore>, StartError> {
        let failed = |source: Box<dyn Error>| StartError::new(format!("cannot use {self}"), source);
        match timeout(CONNECT_TIMEOUT, self.open()).await {
            Ok(store) => store.map_err(failed),
            Err(_) => Err(failed(
                "it does not respond: see that it runs and accepts connections from here".into(),
            )),
        }
    }

    async fn open(&self) -> Result<Arc<dyn SessionStore>, Box<dyn Error>> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryStore::new()),
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path).await?),
            Self::Postgres(url) => Arc::new(PostgresStore::connect(url).await?),
            Self::Redis(url) => Arc::new(RedisStore::connect(url).await?),
        })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("the memory as the store"),
            Self::Sqlite(path) => write!(f, "the SQLite file {path:?} as the store"),
            Self::Postgres(_) => f.write_str("the PostgreSQL server of STORE"),
            Self::Redis(_) => f.write_str("the Redis server of STORE"),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_path_of_an_sqlite_file_follows_the_scheme() {
        let paths = [
            ("sqlite:sessions.db", "sessions.db"),
            ("sqlite:/var/lib/s.db", "/var/lib/s.db"),
            ("sqlite://sessions.db", "sessions.db"),
            ("sqlite:///var/lib/s.db", "/var/lib/s.db"),
            ("sqlite:C:\\s.db", "C:\\s.db"),
        ];
        for (text, expected) in paths {
            let url = StoreUrl::parse(text).unwrap();
            assert!(matches!(url, StoreUrl::Sqlite(path) if path == Path::new(expected)), "{text}");
        }
    }

    #[test]
    fn the_url_of_a_server_is_kept_whole_and_never_shown() {
        for text in
            ["postgres://u:hunter2@h/d", "postgresql://u:hunter2@h/d", "redis://:hunter2@h:6379/1"]
        {
            let url = StoreUrl::parse(text).unwrap();
            assert!(url.is_durable());
            assert!(!format!("{url} {url:?}").contains("hunter2"));
            let (StoreUrl::Postgres(whole) | StoreUrl::Redis(whole)) = url else {
                panic!("{text} is not the URL of a server")
            };
            assert_eq!(whole, text);
        }
    }
}
