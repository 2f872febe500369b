//! Pages of the log, as the server returns them.

use redis::Value;
use tower_jwt_auth_core::{Heartbeat, LogEntry, Revocation, RevocationKind, StoreError};

use crate::convert::{malformed, malformed_response, parse, parse_time};

/// The incarnation of the log, the ID of its last entry, and the heartbeats of the nodes.
pub(crate) type LogState = (String, String, Vec<(String, String)>);

/// Returns the state of the log during a read, given the states before and after it. Returns `None` if the cursor is
/// lost, or if the log was replaced meanwhile: the entries may then be those of either log.
///
/// The heartbeats are those before the read, so that the page has all entries from before them.
pub(crate) fn state_during(before: Option<LogState>, after: Option<LogState>) -> Option<LogState> {
    let (before, (incarnation_after, ..)) = (before?, after?);
    (before.0 == incarnation_after).then_some(before)
}

/// A page of the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) entries: Vec<LogEntry>,
    /// The ID after which the next page begins.
    pub(crate) next_id: String,
    pub(crate) more: bool,
}

/// Reads a page from the response to `XRANGE`, which has one entry more than `limit` if there are more.
pub(crate) fn read_page(
    response: Value,
    limit: usize,
    last_id: String,
    heartbeats: Vec<(String, String)>,
) -> Result<Page, StoreError> {
    let Value::Array(mut rows) = response else { return Err(malformed_response()) };
    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut entries = Vec::with_capacity(rows.len() + heartbeats.len());
    let mut last_read = None;
    for row in rows {
        let (id, fields) = read_row(row)?;
        entries.push(read_revocation(fields)?);
        last_read = Some(id);
    }
    if more {
        let next_id = last_read.ok_or_else(malformed_response)?;
        return Ok(Page { entries, next_id, more });
    }
    for heartbeat in heartbeats {
        entries.push(read_heartbeat(heartbeat)?);
    }
    // The last entry may have been appended after the state was read, or removed before.
    let next_id = match last_read {
        Some(id) if entry_number(&id)? > entry_number(&last_id)? => id,
        _ => last_id,
    };
    Ok(Page { entries, next_id, more })
}

/// Returns the ID of an entry, and its fields, each name before its value.
fn read_row(row: Value) -> Result<(String, Vec<Value>), StoreError> {
    let Value::Array(row) = row else { return Err(malformed_response()) };
    match <[Value; 2]>::try_from(row) {
        Ok([id, Value::Array(fields)]) => Ok((text(id)?, fields)),
        _ => Err(malformed_response()),
    }
}

/// Converts a text without copying it.
fn text(value: Value) -> Result<String, StoreError> {
    let Value::BulkString(bytes) = value else { return Err(malformed_response()) };
    String::from_utf8(bytes).map_err(|_| malformed_response())
}

/// Returns the parts of an entry's ID, by which entries are ordered.
fn entry_number(id: &str) -> Result<(u64, u64), StoreError> {
    let (time, number) = id.split_once('-').ok_or_else(malformed_response)?;
    Ok((parse("id", time)?, parse("id", number)?))
}

/// Reads a revocation from the fields of its entry.
fn read_revocation(fields: Vec<Value>) -> Result<LogEntry, StoreError> {
    let (mut kind, mut issuer, mut target_id) = (None, None, None);
    let (mut until, mut issued_before) = (None, None);
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let Value::BulkString(name) = name else { return Err(malformed_response()) };
        match &*name {
            b"kind" => kind = Some(parse("kind", &text(value)?)?),
            b"issuer" => issuer = Some(text(value)?),
            // Entries of version 1 have a field `name` instead.
            b"target_id" | b"name" => target_id = Some(text(value)?),
            b"until" => until = Some(parse_time("until", &text(value)?)?),
            b"issued_before" => issued_before = Some(parse_time("issued_before", &text(value)?)?),
            _ => {}
        }
    }
    let target_id = target_id.ok_or_else(|| malformed("target_id"))?;
    let issuer = issuer.ok_or_else(|| malformed("issuer"))?;
    let until = until.ok_or_else(|| malformed("until"))?;
    Ok(LogEntry::Revocation(match kind.ok_or_else(|| malformed("kind"))? {
        RevocationKind::Token => Revocation::Token { issuer, jti: target_id, until },
        RevocationKind::Session => Revocation::Session { issuer, sid: target_id, until },
        RevocationKind::Subject => {
            let issued_before = issued_before.ok_or_else(|| malformed("issued_before"))?;
            Revocation::Subject { issuer, sub: target_id, issued_before, until }
        }
    }))
}

/// Reads a heartbeat from its node and its value, `beat:at`.
fn read_heartbeat((node, value): (String, String)) -> Result<LogEntry, StoreError> {
    let (beat, at) = value.split_once(':').ok_or_else(|| malformed("heartbeat"))?;
    Ok(LogEntry::Heartbeat(Heartbeat {
        node: parse("node", &node)?,
        beat: parse("beat", beat)?,
        at: parse_time("at", at)?,
    }))
}

#[cfg(test)]
mod tests {
    use tower_jwt_auth_core::Timestamp;

    use super::*;

    const NODE: &str = "AAAAAAAAAAAAAAAAAAAAAA";

    fn state(incarnation: &str, beat: u64) -> LogState {
        let heartbeat = (NODE.to_owned(), format!("{beat}:17"));
        (incarnation.to_owned(), "9-0".to_owned(), vec![heartbeat])
    }

    #[test]
    fn a_page_belongs_to_the_log_that_was_there_before_and_after_it() {
        assert_eq!(state_during(Some(state("a", 1)), Some(state("a", 2))), Some(state("a", 1)));
        for (before, after) in [
            (Some(state("a", 1)), Some(state("b", 1))),
            (Some(state("a", 1)), None),
            (None, Some(state("a", 1))),
            (None, None),
        ] {
            assert_eq!(state_during(before, after), None);
        }
    }

    fn text_value(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn row(id: &str, fields: &[&str]) -> Value {
        let fields = fields.iter().map(|field| text_value(field)).collect();
        Value::Array(vec![text_value(id), Value::Array(fields)])
    }

    fn token_row(id: &str) -> Value {
        row(id, &["kind", "token", "issuer", "i", "target_id", "t", "until", "5"])
    }

    fn page(ids: &[&str], limit: usize, last_id: &str) -> Result<Page, StoreError> {
        let rows = ids.iter().map(|id| token_row(id)).collect();
        let heartbeats = vec![(NODE.to_owned(), "7:17".to_owned())];
        read_page(Value::Array(rows), limit, last_id.to_owned(), heartbeats)
    }

    #[test]
    fn only_the_last_page_has_the_heartbeats_and_each_continues_after_its_entries() {
        let first = page(&["1-0", "2-0", "3-0"], 2, "9-0").unwrap();
        assert_eq!((first.entries.len(), &*first.next_id, first.more), (2, "2-0", true));
        assert!(!first.entries.iter().any(|entry| matches!(entry, LogEntry::Heartbeat(_))));

        let last = page(&["1-0", "2-0"], 2, "9-0").unwrap();
        assert_eq!((last.entries.len(), &*last.next_id, last.more), (3, "9-0", false));
        let heartbeat =
            Heartbeat { node: NODE.parse().unwrap(), beat: 7, at: Timestamp::from_unix_millis(17) };
        assert_eq!(last.entries.last(), Some(&LogEntry::Heartbeat(heartbeat)));

        let empty = page(&[], 2, "9-0").unwrap();
        assert_eq!((empty.entries.len(), &*empty.next_id, empty.more), (1, "9-0", false));
    }

    /// It was appended between the state and the entries.
    #[test]
    fn a_page_continues_after_an_entry_beyond_the_last_one_of_the_state() {
        for (ids, last_id, expected) in
            [(&["10-0"], "9-0", "10-0"), (&["9-10"], "9-9", "9-10"), (&["8-1"], "9-0", "9-0")]
        {
            assert_eq!(page(ids, 2, last_id).unwrap().next_id, expected);
        }
    }

    #[test]
    fn malformed_entries_are_corrupt() {
        let subject = ["kind", "subject", "issuer", "i", "target_id", "t", "until", "5"];
        let read = |row| read_page(Value::Array(vec![row]), 10, "9-0".to_owned(), Vec::new());
        let with_time = [&subject[..], &["issued_before", "4", "later", "ignored"]].concat();
        assert!(read(row("1-0", &with_time)).is_ok());
        assert!(
            read(row("1-0", &["name", "t", "kind", "token", "issuer", "i", "until", "5"])).is_ok()
        );
        for malformed in [
            row("1-0", &subject),
            row("1-0", &["kind", "token", "issuer", "i", "target_id", "t"]),
            row("1-0", &["kind", "token", "issuer", "i", "until", "5"]),
            row("1-0", &["kind", "token", "target_id", "t", "until", "5"]),
            row("1-0", &["kind", "other", "issuer", "i", "target_id", "t", "until", "5"]),
            row("1-0", &["kind", "token", "issuer", "i", "target_id", "t", "until", "x"]),
            row("x", &["kind", "token", "issuer", "i", "target_id", "t", "until", "5"]),
            Value::Array(vec![text_value("1-0"), Value::Nil]),
            Value::Array(Vec::new()),
            Value::Nil,
        ] {
            assert!(matches!(read(malformed), Err(StoreError::Corrupt(_))));
        }
        assert!(read_page(Value::Nil, 10, "9-0".to_owned(), Vec::new()).is_err());
    }
}
