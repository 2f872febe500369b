/// The cause of an error. Its type is not part of the public interface.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// The reason for which a store could not be opened.
///
/// The message says what to change. It contains no password.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_sqlx::ConnectError;
///
/// /// Whether a later attempt can succeed without a change of the configuration.
/// fn is_temporary(error: &ConnectError) -> bool {
///     matches!(error, ConnectError::Unreachable(_) | ConnectError::Locked(_))
/// }
///
/// let error = ConnectError::OldServer { found: "12.22".into() };
/// assert!(!is_temporary(&error));
/// assert_eq!(
///     error.to_string(),
///     "the database server runs PostgreSQL 12.22: version 13 or later is required"
/// );
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The connection string is malformed or has an unknown parameter.
    #[error("the connection string cannot be parsed: use postgres://user@host:5432/database")]
    Url(#[source] Source),
    /// The server does not answer.
    #[error("the database server does not answer: check that it runs and is reachable from here")]
    Unreachable(#[source] Source),
    /// The server rejects the user, the password or the database name, or the user lacks a privilege.
    #[error(
        "the database server rejects the user: check the user, the password, the database and the privileges"
    )]
    Rejected(#[source] Source),
    /// The server is a standby, which is read-only and behind the primary.
    #[error("the database server is a standby: connect to the primary")]
    Standby,
    /// The server is older than PostgreSQL 13.
    #[error("the database server runs PostgreSQL {found}: version 13 or later is required")]
    OldServer {
        /// The version of the server.
        found: String,
    },
    /// The connections of a pool have a setting that breaks a guarantee of the store.
    #[error("the pool's connections have {name} = {found}: set it to {required}")]
    Setting {
        /// The name of the setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// The value that the store requires.
        required: &'static str,
    },
    /// The encoding of the database cannot store all characters.
    #[error("the database has the encoding {found}: create a database with the encoding UTF8")]
    Encoding {
        /// The encoding of the database.
        found: String,
    },
    /// The database file cannot be opened or created.
    #[error(
        "the database file cannot be opened: check that its directory exists and can be written to"
    )]
    File(#[source] Source),
    /// The database file, its directory or its disk is read-only.
    #[error("the database file is read-only: check that it and its directory can be written to")]
    ReadOnly(#[source] Source),
    /// The file is not a SQLite database.
    #[error("the file is not a SQLite database: use another path")]
    NotADatabase(#[source] Source),
    /// Another process keeps the database file locked.
    #[error("the database is locked by another process: check which process holds the lock")]
    Locked(#[source] Source),
    /// The tables do not exist.
    #[error("the tables do not exist: run the migrations")]
    NoTables,
    /// The tables have an earlier version than this release requires.
    #[error("the tables are of version {found}, not {required}: run the migrations")]
    OldTables {
        /// The version of the tables.
        found: i32,
        /// The version that this release requires.
        required: i32,
    },
    /// The tables have a later version than this release supports.
    #[error(
        "the tables are of version {found}, which is newer than {required}: run a newer release"
    )]
    NewTables {
        /// The version of the tables.
        found: i32,
        /// The version that this release requires.
        required: i32,
    },
    /// The database failed in another way.
    #[error("the database cannot be prepared")]
    Database(#[source] Source),
}
