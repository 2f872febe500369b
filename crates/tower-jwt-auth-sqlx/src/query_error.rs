use tower_jwt_auth_core::StoreError;

/// Converts an error of sqlx to the error of a store.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::TypeNotFound { .. } => StoreError::corrupt(error),
        _ => StoreError::unavailable(error),
    }
}

/// The reason for which a query or a transaction failed.
pub(crate) enum QueryError {
    /// The database failed.
    Sql(sqlx::Error),
    /// The store rejected the call because of the data that it read.
    Store(StoreError),
}

impl QueryError {
    /// Returns whether the connection can be used after this error.
    ///
    /// A server that answers with an error is alive, unless the error announces its end or a failure of its disk.
    pub(crate) fn keeps_connection(&self) -> bool {
        let Self::Sql(error) = self else { return true };
        let Some(answer) = error.as_database_error() else { return false };
        let code = answer.code().unwrap_or_default();
        // PostgreSQL: connection exceptions, operator intervention, a transaction that was idle for too long.
        let is_closed = code.starts_with("08") || code.starts_with("57P") || code == "25P03";
        // SQLite, in the low byte: out of memory, input or output error, corrupt file, disk full, cannot open.
        let is_broken = code
            .parse::<u32>()
            .is_ok_and(|code| code < 10_000 && matches!(code & 0xff, 7 | 10 | 11 | 13 | 14));
        !is_closed && !is_broken
    }
}

impl From<sqlx::Error> for QueryError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<QueryError> for StoreError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Sql(error) => store_error(error),
            QueryError::Store(error) => error,
        }
    }
}
