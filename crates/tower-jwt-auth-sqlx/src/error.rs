use tower_jwt_auth_core::StoreError;

/// What caused an error; of which library it is, is not promised.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a store could not be opened, and what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The connection string is none.
    #[error("the connection string cannot be read: give postgres://user@host:5432/database")]
    Url(#[source] Source),
    /// Nobody answers there.
    #[error("the database server does not answer: see that it runs and can be reached from here")]
    Unreachable(#[source] Source),
    /// The server refuses the user or the password, or does not know the database.
    #[error("the database server refuses: see that user, password and database are right")]
    Refused(#[source] Source),
    /// The server is a standby, which is read-only and behind.
    #[error("the database server is a standby: connect to the primary")]
    Standby,
    /// The server is too old.
    #[error("the database server is PostgreSQL {found}: run 13 or newer")]
    OldServer {
        /// Its version.
        found: String,
    },
    /// The connections of a pool are set up so that the store's promises do not hold.
    #[error("the pool's connections have {name} = {found}: set it to {wanted}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it has to be.
        wanted: &'static str,
    },
    /// The database keeps texts in an encoding that has not all characters.
    #[error("the database has the encoding {found}: make one with the encoding UTF8")]
    Encoding {
        /// Its encoding.
        found: String,
    },
    /// The file cannot be opened or made.
    #[error(
        "the database file cannot be opened: see that its directory is there and may be written to"
    )]
    File(#[source] Source),
    /// The file, its directory or the disk cannot be written to.
    #[error("the database file is read-only: see that it and its directory may be written to")]
    ReadOnly(#[source] Source),
    /// The file is something else.
    #[error("the file is no SQLite database: name another one")]
    NotADatabase(#[source] Source),
    /// Other processes keep the database locked.
    #[error("the database is locked by another process: see what holds it")]
    Locked(#[source] Source),
    /// The tables are not there.
    #[error("the tables are not there: run the migrations")]
    NoTables,
    /// The tables are of an older version of this crate.
    #[error("the tables are of version {found}, not {wanted}: run the migrations")]
    OldTables {
        /// Their version.
        found: i32,
        /// The version needed.
        wanted: i32,
    },
    /// The tables are of a newer version of this crate.
    #[error("the tables are of version {found}, which is newer than {wanted}: run a newer release")]
    NewTables {
        /// Their version.
        found: i32,
        /// The newest version known.
        wanted: i32,
    },
    /// Something else went wrong with the database.
    #[error("the database cannot be prepared")]
    Database(#[source] Source),
}

/// What a failed call means to whoever asked.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::TypeNotFound { .. } => StoreError::corrupt(error),
        _ => StoreError::unavailable(error),
    }
}

/// Why a transaction was given up.
pub(crate) enum Failure {
    /// The database failed.
    Sql(sqlx::Error),
    /// What was found there speaks against it, or makes no sense.
    Refused(StoreError),
}

impl Failure {
    /// Whether a call that failed so leaves its connection as it was: a server that answers with an error of its
    /// own is there, unless it says that it is about to go, or the disk that it could not write to.
    pub(crate) fn leaves_the_connection_sound(&self) -> bool {
        let Self::Sql(error) = self else { return true };
        let Some(answer) = error.as_database_error() else { return false };
        let code = answer.code().unwrap_or_default();
        // Of PostgreSQL: connection exceptions, operator intervention, a transaction that was idle for too long.
        // Of SQLite, in the low byte: out of memory, input and output, corruption, full, no such file.
        let is_over = code.starts_with("08") || code.starts_with("57P") || code == "25P03";
        let is_broken = code
            .parse::<u32>()
            .is_ok_and(|code| code < 10_000 && matches!(code & 0xff, 7 | 10 | 11 | 13 | 14));
        !is_over && !is_broken
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sql(error) => store_error(error),
            Failure::Refused(error) => error,
        }
    }
}
