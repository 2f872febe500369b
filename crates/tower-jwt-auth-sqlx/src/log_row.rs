use sqlx::{ColumnIndex, Decode, Row, Type};
use tower_jwt_auth_core::{
    Heartbeat, LogEntry, NodeId, Revocation, RevocationKind, StoreError, Timestamp,
};

use crate::convert::{to_i64, to_u64};
use crate::escape::{escape_nul, unescape_nul};
use crate::query_error::store_error;

/// The `kind` of a heartbeat. The other kinds are those of [`RevocationKind`].
pub(crate) const HEARTBEAT: &str = "heartbeat";

/// The columns of a log entry.
pub(crate) struct LogRow {
    pub(crate) kind: &'static str,
    pub(crate) issuer: String,
    /// The ID of the token, session or node, or the subject.
    pub(crate) target_id: String,
    pub(crate) issued_before: Option<i64>,
    pub(crate) beat: Option<i64>,
    pub(crate) until: i64,
}

impl TryFrom<&LogEntry> for LogRow {
    type Error = StoreError;

    fn try_from(entry: &LogEntry) -> Result<Self, StoreError> {
        let until = entry.until().unix_millis();
        match entry {
            LogEntry::Revocation(revocation) => {
                let (kind, issuer, target_id) = revocation.target();
                Ok(Self {
                    kind: kind.as_str(),
                    issuer: escape_nul(issuer),
                    target_id: escape_nul(target_id),
                    issued_before: revocation.issued_before().map(Timestamp::unix_millis),
                    beat: None,
                    until,
                })
            }
            LogEntry::Heartbeat(heartbeat) => Ok(Self {
                kind: HEARTBEAT,
                issuer: String::new(),
                target_id: heartbeat.node.to_string(),
                issued_before: None,
                beat: Some(to_i64(heartbeat.beat)?),
                until,
            }),
        }
    }
}

/// Reads a log entry from its columns: `kind`, `issuer`, `target_id`, `issued_before`, `beat` and `until`, the first of
/// which is the column `first`. A search by name would take longer than the rest. Returns `None` if the columns are
/// NULL, as an outer join without a match returns them.
pub(crate) fn read_log_entry<'r, R>(
    row: &'r R,
    first: usize,
) -> Result<Option<LogEntry>, StoreError>
where
    R: Row,
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    &'r str: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let Some(kind) = row.try_get::<Option<&str>, _>(first).map_err(store_error)? else {
        return Ok(None);
    };
    let text = |column| row.try_get(first + column).map(unescape_nul).map_err(store_error);
    let number = |column| row.try_get::<i64, _>(first + column).map_err(store_error);
    let until = Timestamp::from_unix_millis(number(5)?);
    let target_id = text(2)?;
    if kind == HEARTBEAT {
        let node: NodeId = target_id.parse().map_err(StoreError::corrupt)?;
        let beat = to_u64(number(4)?)?;
        return Ok(Some(LogEntry::Heartbeat(Heartbeat { node, beat, at: until })));
    }
    let issuer = text(1)?;
    let kind: RevocationKind = kind
        .parse()
        .map_err(|_| StoreError::corrupt(format!("the kind {kind:?} of a log entry is unknown")))?;
    let revocation = match kind {
        RevocationKind::Token => Revocation::Token { issuer, jti: target_id, until },
        RevocationKind::Session => Revocation::Session { issuer, sid: target_id, until },
        RevocationKind::Subject => {
            let issued_before = Timestamp::from_unix_millis(number(3)?);
            Revocation::Subject { issuer, sub: target_id, issued_before, until }
        }
    };
    Ok(Some(LogEntry::Revocation(revocation)))
}
