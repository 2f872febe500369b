//! Log entries as rows.

use sqlx::{ColumnIndex, Decode, Row, Type};
use tower_jwt_auth_core::{
    Heartbeat, LogEntry, NodeId, Revocation, RevocationKind, StoreError, Timestamp,
};

use crate::error::store_error;
use crate::row::{signed, unsigned};
use crate::text::{from_table, to_table};

pub(crate) const HEARTBEAT: &str = "heartbeat";

/// An entry as a row of the log.
pub(crate) struct EntryRow {
    pub(crate) kind: &'static str,
    pub(crate) issuer: String,
    pub(crate) name: String,
    pub(crate) issued_before: Option<i64>,
    pub(crate) beat: Option<i64>,
    pub(crate) until: i64,
}

impl TryFrom<&LogEntry> for EntryRow {
    type Error = StoreError;

    fn try_from(entry: &LogEntry) -> Result<Self, StoreError> {
        let until = entry.until().unix_millis();
        match entry {
            LogEntry::Revocation(revocation) => {
                let (kind, issuer, name) = revocation.target();
                Ok(Self {
                    kind: kind.as_str(),
                    issuer: to_table(issuer).into_owned(),
                    name: to_table(name).into_owned(),
                    issued_before: revocation.issued_before().map(Timestamp::unix_millis),
                    beat: None,
                    until,
                })
            }
            LogEntry::Heartbeat(heartbeat) => Ok(Self {
                kind: HEARTBEAT,
                issuer: String::new(),
                name: heartbeat.node.to_string(),
                issued_before: None,
                beat: Some(signed(heartbeat.beat)?),
                until,
            }),
        }
    }
}

/// The entry of this row; none where the columns are those of no row, as an outer join gives them.
pub(crate) fn read_entry<'r, R>(row: &'r R) -> Result<Option<LogEntry>, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let Some(kind) = row.try_get::<Option<String>, _>("kind").map_err(store_error)? else {
        return Ok(None);
    };
    let text = |column| row.try_get(column).map(from_table).map_err(store_error);
    let number = |column| row.try_get::<i64, _>(column).map_err(store_error);
    let until = Timestamp::from_unix_millis(number("until")?);
    let name = text("name")?;
    if kind == HEARTBEAT {
        let node: NodeId = name.parse().map_err(StoreError::corrupt)?;
        let beat = unsigned(number("beat")?)?;
        return Ok(Some(LogEntry::Heartbeat(Heartbeat { node, beat, at: until })));
    }
    let issuer = text("issuer")?;
    let known: RevocationKind = kind
        .parse()
        .map_err(|_| StoreError::corrupt(format!("a log entry is of the kind {kind:?}")))?;
    let revocation = match known {
        RevocationKind::Token => Revocation::Token { issuer, jti: name, until },
        RevocationKind::Session => Revocation::Session { issuer, sid: name, until },
        RevocationKind::Subject => {
            let issued_before = Timestamp::from_unix_millis(number("issued_before")?);
            Revocation::Subject { issuer, sub: name, issued_before, until }
        }
    };
    Ok(Some(LogEntry::Revocation(revocation)))
}

/// The number of a session that was ended, and its log entry, from its columns `number`, `id`, `issuer` and
/// `access_until`.
pub(crate) fn read_ended<'r, R>(row: &'r R) -> Result<(i64, Revocation), StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let revocation = Revocation::Session {
        issuer: row.try_get("issuer").map(from_table).map_err(store_error)?,
        sid: row.try_get("id").map_err(store_error)?,
        until: Timestamp::from_unix_millis(row.try_get("access_until").map_err(store_error)?),
    };
    Ok((row.try_get("number").map_err(store_error)?, revocation))
}
